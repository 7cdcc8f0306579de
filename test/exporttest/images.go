package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"

	"golang.org/x/image/draw"
)

// sample is the image that all are made from.
type sample struct{ image.Image }

func readSample(path string) (*sample, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	i, err := jpeg.Decode(bytes.NewReader(data))
	return &sample{i}, err
}

// made is an image file. Width and height are in pixels after EXIF orientation.
type made struct {
	key, contentType string
	data             []byte
	width, height    int
}

// exifTurned is the segment APP1 of a JPEG with EXIF orientation 6: turn by 90° clockwise.
const exifTurned = "\xff\xe1\x00\x22Exif\x00\x00MM\x00*\x00\x00\x00\x08" +
	"\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"

// plain makes an image of one colour, a shade of red, green or blue.
func plain(folder string, n int) (made, error) {
	m := image.NewNRGBA(image.Rect(0, 0, 40+n%30, 50))
	shade := [3]uint8{}
	shade[n%3] = uint8(128 + n%100)
	draw.Draw(m, m.Bounds(), image.NewUniform(color.NRGBA{shade[0], shade[1], shade[2], 255}), image.Point{}, draw.Src)
	var file bytes.Buffer
	err := png.Encode(&file, m)
	return made{fmt.Sprintf("%s/%03d.png", folder, n), "image/png", file.Bytes(), m.Bounds().Dx(), m.Bounds().Dy()}, err
}

// image makes the n-th image in a folder: crops of all sizes, JPEGs, JPEGs with EXIF orientation and PNGs. Every
// fifth key has a folder "images".
func (s *sample) image(folder string, n int) (made, error) {
	b := s.Bounds()
	m := made{width: 320 + n*7%700, height: 240 + n*13%500}
	crop := image.Rect(0, 0, b.Dx()*(60+n%41)/100, b.Dy()*(60+n*3%41)/100).Add(b.Min)
	to := image.NewRGBA(image.Rect(0, 0, m.width, m.height))
	draw.ApproxBiLinear.Scale(to, to.Bounds(), s, crop, draw.Src, nil)
	extension := "jpg"
	if n%5 == 0 {
		folder += "/images"
	}
	var file bytes.Buffer
	var err error
	if n%3 == 2 {
		extension, m.contentType = "png", "image/png"
		err = png.Encode(&file, to)
	} else {
		m.contentType = "image/jpeg"
		err = jpeg.Encode(&file, to, &jpeg.Options{Quality: 90})
	}
	m.key, m.data = fmt.Sprintf("%s/%03d.%s", folder, n, extension), file.Bytes()
	if n%3 == 1 {
		m.data = append([]byte("\xff\xd8"+exifTurned), m.data[2:]...)
		m.width, m.height = m.height, m.width
	}
	return m, err
}
