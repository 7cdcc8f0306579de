package imaging

// The Multi-Picture Format (CIPA DC-007) lists the images of a file in a segment of the first one.
const (
	tagMPEntries = 0xb002
	mpEntrySize  = 16
	// An image is a frame, of a panorama, a stereo pair or a series of angles, if this byte of its
	// type has this value. Others are previews or gain maps.
	mpFrame = 2
)

// countFrames returns the number of frames that the segment lists. index begins with the header
// of a TIFF.
func countFrames(index []byte) int {
	entries, form, _ := firstDirectory(index) // no entries on error
	frames := 0
	for _, e := range entries {
		if e.tag != tagMPEntries {
			continue
		}
		list := e.bytes(index, form)
		for ; len(list) >= mpEntrySize; list = list[mpEntrySize:] {
			if form.Uint32(list)>>16&0xff == mpFrame {
				frames++
			}
		}
	}
	return frames
}
