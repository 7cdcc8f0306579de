package imaging

// nclx describes the colours of an image by code points of ITU-T H.273. full is set for the full
// range of values.
type nclx struct {
	cicp
	matrix int
	full   bool
}

var unspecified = nclx{cicp{2, 2}, 2, false}

// nclx returns the description in the box colr of the image or else of its first tile, or else in the
// coded data.
func (m *heifImage) nclx() nclx {
	t := m.tiles[0]
	colours := t.nclx
	for _, i := range []*heifItem{t.heifItem, m.heifItem} {
		for _, p := range i.properties {
			if p.kind == "colr" && len(p.inside) >= 11 && string(p.inside[:4]) == "nclx" {
				b := &bitReader{data: p.inside[4:]}
				colours.cicp = cicp{int(b.read(16)), int(b.read(16))}
				colours.matrix, colours.full = int(b.read(16)), b.flag()
			}
		}
	}
	return colours
}

// box returns the box colr of the description.
func (n nclx) box() []byte {
	full := byte(0)
	if n.full {
		full = 0x80
	}
	return boxOf("colr", []byte("nclx"), be16(n.primaries, n.transfer, n.matrix), []byte{full})
}
