package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
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

// client gives up on an answer that would hold up all cases.
var client = &http.Client{Timeout: 2 * time.Minute}

// resize sends a file to be resized to a PNG.
func (s *system) resize(file string) answer {
	return s.call("resize", file, map[string]any{"target_width": 48})
}

// like returns the answer that another is compared with.
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
	parameters["input_bytes"] = base64.StdEncoding.EncodeToString(data)
	parameters["output_image"] = map[string]string{"content_type": "image/png"}
	body, err := json.Marshal(parameters)
	if err != nil {
		return answer{message: err.Error()}
	}
	resp, err := client.Post(s.Gateway+"/v1/"+processor, "application/json", bytes.NewReader(body))
	if err != nil {
		return answer{message: err.Error()}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{message: err.Error()}
	}
	return read(resp.StatusCode, text)
}

func read(status int, text []byte) answer {
	var got struct {
		Message string
		Result  struct {
			OutputData []byte `json:"output_data"`
			Metadata   map[string]string
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		return answer{status: status, message: string(text)}
	}
	a := answer{status: status, message: got.Message, repaired: got.Result.Metadata["repaired"]}
	if status == http.StatusOK {
		var err error
		if a.image, err = png.Decode(bytes.NewReader(got.Result.OutputData)); err != nil {
			a.message = err.Error()
		}
	}
	return a
}
