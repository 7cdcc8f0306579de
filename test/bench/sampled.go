package main

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/jpeg"
	"slices"
)

// sampledJPEG encodes an image with colours that have one sample for this many pixels across:
// 2 is 4:2:2, 4 is 4:1:1. Each plane has its own scan. It combines the scans of one grey JPEG
// per plane, which all have the same tables.
func sampledJPEG(m ycc, across int) ([]byte, error) {
	be := binary.BigEndian
	frame := append(be.AppendUint16(be.AppendUint16([]byte{8}, uint16(m.y.height)), uint16(m.y.width)), 3)
	var head, scans []byte
	for i, p := range []plane{m.y, m.cb.means(across, 1), m.cr.means(across, 1)} {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, p.grey(), &jpeg.Options{Quality: 95}); err != nil {
			return nil, err
		}
		data := b.Bytes()
		sof, sos := bytes.Index(data, []byte{0xff, 0xc0}), bytes.Index(data, []byte{0xff, 0xda})
		tables := data[sof+2+int(be.Uint16(data[sof+2:])) : sos]
		head = slices.Concat(data[:sof], tables)
		factors := byte(0x11)
		if i == 0 {
			factors = byte(across<<4 | 1)
		}
		frame = append(frame, byte(i+1), factors, 0)
		scan := bytes.Clone(data[sos : len(data)-2])
		scan[5] = byte(i + 1) // the component
		scans = append(scans, scan...)
	}
	sof := append(be.AppendUint16([]byte{0xff, 0xc0}, uint16(len(frame)+2)), frame...)
	return slices.Concat(head, sof, scans, []byte{0xff, 0xd9}), nil
}

// grey rounds the values to 8 bits.
func (p plane) grey() *image.Gray {
	m := image.NewGray(image.Rect(0, 0, p.width, p.height))
	for i, v := range p.values {
		m.Pix[i] = byte(min(max(v+0.5, 0), 255))
	}
	return m
}
