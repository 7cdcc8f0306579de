package main

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
)

// answer is the answer to a resize.
type answer struct {
	status   int
	message  string
	repaired string
	image    image.Image
}

// String is one line.
func (a answer) String() string {
	switch {
	case a.image == nil:
		return fmt.Sprintf("%d %.100s", a.status, a.message)
	case a.repaired != "":
		return fmt.Sprintf("%d %v, repaired: %s", a.status, a.image.Bounds().Size(), a.repaired)
	}
	return fmt.Sprintf("%d %v, %s", a.status, a.image.Bounds().Size(), opacity(a.image))
}

func opacity(m image.Image) string {
	if o, ok := m.(interface{ Opaque() bool }); ok && o.Opaque() {
		return "opaque"
	}
	return "transparent"
}

// resize sends a file to be resized to a PNG.
func (s *system) resize(file string) answer {
	return s.call("resize", file, map[string]any{"target_width": 48})
}

// like returns the answer with which another one is compared.
func (s *system) like(file, like string) answer {
	switch like {
	case "":
		return answer{}
	case filtered:
		return s.call("filter", file, map[string]any{"filter_type": "FILTER_TYPE_BLUR", "intensity": 0})
	}
	return s.resize(filepath.Join(filepath.Dir(file), like))
}

// call sends a file to a processor, with parameters, to become a PNG.
func (s *system) call(processor, file string, parameters map[string]any) answer {
	data, err := os.ReadFile(file)
	if err != nil {
		return answer{message: err.Error()}
	}
	parameters["output_image"] = map[string]string{"content_type": "image/png"}
	got, err := s.Call(processor, data, parameters)
	if err != nil {
		return answer{message: err.Error()}
	}
	a := answer{status: got.Status, message: got.Message, repaired: got.Metadata["repaired"]}
	if got.Status == http.StatusOK {
		if a.image, err = png.Decode(bytes.NewReader(got.Output)); err != nil {
			a.message = err.Error()
		}
	}
	return a
}
