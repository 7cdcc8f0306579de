package main

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"mime"
	"os"
	"path/filepath"

	"golang.org/x/image/draw"
)

// image is an image of the set that is sent.
type testImage struct {
	name, contentType string
	data              []byte
}

// mixed makes the default set of ten images from one: small and large, JPEG and PNG, most of them
// with the aspect ratio of a screen.
func mixed(path string) ([]testImage, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	sample, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var set []testImage
	for _, kind := range []struct {
		width, height, times int
		format               string
	}{{640, 360, 3, "jpeg"}, {1920, 1080, 4, "jpeg"}, {1280, 720, 2, "png"}, {4000, 2250, 1, "jpeg"}} {
		p, err := scaled(sample, kind.width, kind.height, kind.format)
		if err != nil {
			return nil, err
		}
		for range kind.times {
			set = append(set, p)
		}
	}
	return set, nil
}

func scaled(from image.Image, width, height int, format string) (p testImage, err error) {
	to := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.ApproxBiLinear.Scale(to, to.Bounds(), from, from.Bounds(), draw.Src, nil)
	var b bytes.Buffer
	if format == "png" {
		err = png.Encode(&b, to)
	} else {
		err = jpeg.Encode(&b, to, &jpeg.Options{Quality: 85})
	}
	return testImage{fmt.Sprintf("%d×%d %s", width, height, format), "image/" + format, b.Bytes()}, err
}

// folder reads the images of a folder as the set.
func folder(path string) (set []testImage, err error) {
	files, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(path, f.Name()))
		if err != nil {
			return nil, err
		}
		set = append(set, testImage{f.Name(), mime.TypeByExtension(filepath.Ext(f.Name())), data})
	}
	if len(set) == 0 {
		return nil, fmt.Errorf("there is no image in %s", path)
	}
	return set, nil
}
