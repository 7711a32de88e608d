"""The beamline: geometry, source, detector, background, shadows and ice."""
