package inference

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
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
	if isNested(text) {
		return nil, fmt.Errorf("%s: its braces are nested more than %d levels deep", configFile, maxNesting)
	}
	config := &kserve.ModelConfig{}
	if err := (prototext.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, config); err != nil {
		return nil, fmt.Errorf("%s: %w%s", configFile, err, quotePlace(text, err))
	}
	if err := checkModelConfig(config); err != nil {
		return nil, fmt.Errorf("%s: %w", configFile, err)
	}
	return config, nil
}

// isNested reports whether braces are nested more than maxNesting levels deep. The parser has no limit for unknown
// fields. Braces in strings count, too; there they are balanced.
func isNested(text []byte) bool {
	depth := 0
	for _, c := range text {
		switch c {
		case '{', '[', '<':
			depth++
		case '}', ']', '>':
			depth--
		}
		if depth > maxNesting {
			return true
		}
	}
	return false
}

// errorPlace matches the line and the column in an error of the parser, from 1.
var errorPlace = regexp.MustCompile(`\(line (\d+):(\d+)\)`)

// quotePlace returns the text before and at the place of an error of the parser, which does not name the field.
func quotePlace(text []byte, err error) string {
	m := errorPlace.FindStringSubmatch(err.Error())
	if m == nil {
		return ""
	}
	line, _ := strconv.Atoi(m[1])
	column, _ := strconv.Atoi(m[2])
	lines := bytes.Split(text, []byte("\n"))
	if line < 1 || line > len(lines) {
		return ""
	}
	const before, after = 60, 20 // bytes
	in := lines[line-1]
	start := min(max(0, column-before), len(in))
	return fmt.Sprintf(", at %q", in[start:min(max(start, column+after), len(in))])
}

const (
	// threadsKey is the parameter of Triton's backend of ONNX Runtime.
	threadsKey = "intra_op_thread_count"
	maxThreads = 256
	// maxInstances bounds the sum of the instance groups.
	maxInstances = 1024
)

// checkModelConfig refuses values that mean nothing, and parameters that are given twice.
func checkModelConfig(config *kserve.ModelConfig) error {
	if n := config.GetMaxBatchSize(); n < 0 {
		return fmt.Errorf("max_batch_size is %d but must be at least 0", n)
	}
	for _, group := range config.GetInstanceGroup() {
		if n := group.GetCount(); n < 0 || n > maxInstances {
			return fmt.Errorf("instance_group.count is %d but must be from 0 to %d", n, maxInstances)
		}
	}
	if n := instances(config); n > maxInstances {
		return fmt.Errorf("instance_group has %d instances but must have at most %d", n, maxInstances)
	}
	seen := map[string]bool{}
	for _, p := range config.GetParameters() {
		switch key := p.GetKey(); {
		case key == "":
			return errors.New("parameters.key is empty")
		case p.GetValue() == nil || p.GetValue().StringValue == nil:
			return fmt.Errorf("the parameter %s has no value.string_value", key)
		case seen[key]:
			return fmt.Errorf("the parameter %s is given twice", key)
		default:
			seen[key] = true
		}
	}
	return nil
}

// instances returns the number of concurrent runs, or 0 without an instance group.
func instances(config *kserve.ModelConfig) (n int) {
	for _, group := range config.GetInstanceGroup() {
		n += max(1, int(group.GetCount()))
	}
	return n
}

// threads returns the number of threads of one run.
func threads(config *kserve.ModelConfig, byDefault int) (int, error) {
	for _, p := range config.GetParameters() {
		if p.GetKey() != threadsKey {
			continue
		}
		n, err := strconv.Atoi(p.GetValue().GetStringValue())
		if err != nil || n < 1 || n > maxThreads {
			return 0, fmt.Errorf("the parameter %s is %q but must be a number from 1 to %d",
				threadsKey, p.GetValue().GetStringValue(), maxThreads)
		}
		return n, nil
	}
	return byDefault, nil
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
	for _, p := range config.GetParameters() {
		i.Metadata[p.GetKey()] = p.GetValue().GetStringValue()
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
