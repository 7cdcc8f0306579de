package inference

import (
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

// The files that may lie beside a model's versions.
const (
	configFile = "config.pbtxt"
	labelsFile = "labels.txt"
)

// maxBeside bounds them in bytes.
const maxBeside = 1 << 20

// beside reads what lies in a model's folder beside its versions into its
// description: the parameters of config.pbtxt, by which Triton describes it too,
// and the lines of labels.txt.
func (i *Info) beside(dir string) error {
	text, err := readBeside(dir, configFile)
	if err != nil {
		return err
	}
	config := &kserve.ModelConfig{}
	if err := (prototext.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, config); err != nil {
		return fmt.Errorf("%s: %w", configFile, err)
	}
	i.configure(config)
	if text, err = readBeside(dir, labelsFile); err != nil {
		return err
	}
	if lines := strings.TrimRight(string(text), "\r\n"); lines != "" {
		for line := range strings.SplitSeq(lines, "\n") {
			i.Labels = append(i.Labels, strings.TrimSpace(line))
		}
	}
	return nil
}

// configure takes what a config.pbtxt says.
func (i *Info) configure(config *kserve.ModelConfig) {
	i.MaxBatch = int(config.GetMaxBatchSize())
	for key, value := range config.GetParameters() {
		i.Metadata[key] = value.GetStringValue()
	}
}

// readBeside returns nothing where there is no file.
func readBeside(dir, name string) ([]byte, error) {
	file, err := os.Open(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxBeside+1))
	if len(text) > maxBeside {
		err = fmt.Errorf("%s has more than %d bytes", name, maxBeside)
	}
	return text, err
}
