//! The reasons of conditions: every word that a status can give for one, and which condition can have
//! which. A reason that no test reaches fails a test.

macro_rules! reasons {
    ($($name:ident)*) => {
        /// Why a condition is as it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Reason { $($name),* }

        impl Reason {
            /// As it is written.
            pub(super) const fn text(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

reasons! {
    AllReplicasReady ReplicasNotReady AppNotConnected Suspended Paused SpecInvalid SidecarsReady
    SidecarNotReady StorageFull Draining Fenced NoReplicas Settled Creating RollingOut ScalingUp
    ResizingStorage ModifyingStorage Progressing TemplateInvalid StatefulSetRejected
    NodeUnreachable SidecarTooOld ScaleDownForbidden DrainTimeout ReplicaUnavailable NoConsumer
    NoProgress DeadLettersLeft StorageClassNotExpandable VolumeResizeFailed VolumeModifyFailed NoneGoing
    Forbidden DrainRequested WaitingForConsumer Verifying Shrinking RoomLeft NearlyFull Full
    NotReported Verified LogIdentityChanged ClaimLost CorruptSegment Durable VolumeNotDurable
    Delivering ConsumerFailing
}

/// The reasons of each condition. `Reconciling` is also false for each of `Stalled`: it says so, for
/// whoever waits reads it alone.
#[cfg(test)]
pub(super) const REASONS: [(&str, &[Reason]); 9] = {
    use Reason::*;
    [
        (
            "Ready",
            &[
                AllReplicasReady,
                ReplicasNotReady,
                StorageFull,
                CorruptSegment,
                AppNotConnected,
                Suspended,
                Paused,
                SpecInvalid,
            ],
        ),
        (
            "Accepting",
            &[
                SidecarsReady,
                SidecarNotReady,
                StorageFull,
                CorruptSegment,
                Draining,
                Fenced,
                NoReplicas,
            ],
        ),
        (
            "Reconciling",
            &[
                Settled,
                Creating,
                RollingOut,
                ScalingUp,
                Draining,
                ResizingStorage,
                ModifyingStorage,
                Paused,
            ],
        ),
        (
            "Stalled",
            &[
                Progressing,
                SpecInvalid,
                TemplateInvalid,
                StatefulSetRejected,
                NodeUnreachable,
                SidecarTooOld,
                ScaleDownForbidden,
                DrainTimeout,
                ReplicaUnavailable,
                NoConsumer,
                NoProgress,
                DeadLettersLeft,
                StorageClassNotExpandable,
                VolumeResizeFailed,
                VolumeModifyFailed,
            ],
        ),
        (
            "ScalingDown",
            &[NoneGoing, Forbidden, DrainRequested, WaitingForConsumer, Verifying, Shrinking],
        ),
        ("StoragePressure", &[RoomLeft, NearlyFull, Full, NotReported]),
        ("DataIntact", &[Verified, LogIdentityChanged, ClaimLost, CorruptSegment, NotReported]),
        ("DurableVolume", &[Durable, VolumeNotDurable, NotReported]),
        ("DeliveryStuck", &[Delivering, NoConsumer, ConsumerFailing, NotReported]),
    ]
};
