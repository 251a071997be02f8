//! Messages around whose sizes the wire form changes, and the shapes that matter.

/// One frame of each size at a boundary, a thousand frames, and empty ones between others.
pub(crate) fn shapes() -> Vec<Vec<Vec<u8>>> {
    let sizes = [0, 1, 255, 256, 65_535, 65_536, 4 << 20];
    let mut shapes: Vec<_> = sizes.into_iter().map(|size| vec![patterned(size)]).collect();
    shapes.push((0..1000u32).map(|number| number.to_be_bytes().to_vec()).collect());
    shapes.push(vec![Vec::new(); 1000]);
    shapes.push(vec![patterned(300), Vec::new(), patterned(70_000), Vec::new()]);
    shapes
}

fn patterned(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 251) as u8).collect()
}
