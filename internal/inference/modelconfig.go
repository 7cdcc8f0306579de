package inference

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/encoding/prototext"

	kserve "imageflow.dev/proto/inference"
)

// The optional files of a model, next to the folders of its versions.
const (
	configFile = "config.pbtxt"
	labelsFile = "labels.txt"
)

// maxConfigBytes bounds the size of each of them.
const maxConfigBytes = 1 << 20

// readModelConfig reads config.pbtxt in a model's folder.
func readModelConfig(dir string) (*kserve.ModelConfig, error) {
	text, err := readOptional(dir, configFile)
	if err != nil {
		return nil, err
	}
	config := &kserve.ModelConfig{}
	if err := (prototext.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, config); err != nil {
		return nil, fmt.Errorf("%s: %w", configFile, err)
	}
	return config, nil
}

// readLabels reads labels.txt in a model's folder.
func (i *Info) readLabels(dir string) error {
	text, err := readOptional(dir, labelsFile)
	if err != nil {
		return err
	}
	if lines := strings.TrimRight(string(text), "\r\n"); lines != "" {
		for line := range strings.SplitSeq(lines, "\n") {
			i.Labels = append(i.Labels, strings.TrimSpace(line))
		}
	}
	return nil
}

// addParameters adds the parameters of a config.pbtxt to the metadata.
func (i *Info) addParameters(config *kserve.ModelConfig) {
	for key, value := range config.GetParameters() {
		i.Metadata[key] = value.GetStringValue()
	}
}

// readOptional reads a text file of at most maxConfigBytes, without its byte order mark.
// A missing file is empty.
func readOptional(dir, name string) ([]byte, error) {
	file, err := os.Open(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxConfigBytes+1))
	if len(text) > maxConfigBytes {
		err = fmt.Errorf("%s has more than %d bytes", name, maxConfigBytes)
	}
	return bytes.TrimPrefix(text, []byte(byteOrderMark)), err
}

// byteOrderMark begins some text files of Windows.
const byteOrderMark = "\ufeff"
