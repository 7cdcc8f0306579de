package inference

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// onnxMessage is a message type of onnx.proto that leads to the names of external files.
type onnxMessage int

const (
	otherMessage onnxMessage = iota
	modelProto
	graphProto
	functionProto
	nodeProto
	attributeProto
	sparseTensorProto
	tensorProto
	entryProto // StringStringEntryProto
)

// onnxFields are the message types of fields by number, from onnx.proto.
var onnxFields = map[onnxMessage]map[uint64]onnxMessage{
	modelProto:    {7: graphProto, 25: functionProto},
	graphProto:    {1: nodeProto, 5: tensorProto, 15: sparseTensorProto},
	functionProto: {7: nodeProto},
	nodeProto:     {5: attributeProto},
	attributeProto: {
		5: tensorProto, 6: graphProto, 10: tensorProto, 11: graphProto, 22: sparseTensorProto, 23: sparseTensorProto,
	},
	sparseTensorProto: {1: tensorProto, 2: tensorProto},
	tensorProto:       {13: entryProto},
}

const (
	// maxExternalFiles bounds the files of one model.
	maxExternalFiles = 10000
	// maxNameBytes is the longest name of a file on Linux.
	maxNameBytes = 4096
	// maxNesting is the limit of Protobuf's own parsers.
	maxNesting = 100
)

// weightTypes are the element types of weights, by their number in onnx.proto.
var weightTypes = map[uint64]ElementType{
	1: Float32, 2: Uint8, 3: "INT8", 10: Float16, 11: "FP64", 16: "BF16", 17: "FP8", 18: "FP8", 19: "FP8", 20: "FP8",
	21: "UINT4", 22: "INT4",
}

// readWeights returns the paths of the files in which an ONNX file keeps its weights, sorted, and the element
// type of most weights. The files must be regular ones in its folder or below. A file that is no ONNX may have
// none; the runtime refuses it.
func readWeights(file string) (files []string, precision ElementType, err error) {
	content, err := os.Open(file)
	if err != nil {
		return nil, "", err
	}
	defer content.Close()
	w := weightsReader{in: bufio.NewReader(content), names: map[string]bool{}, weights: map[ElementType]float64{}}
	if err := w.read(modelProto, 1<<62, maxNesting); errors.Is(err, errManyFiles) {
		return nil, "", err
	}
	for name := range w.names {
		if !filepath.IsLocal(name) {
			return nil, "", fmt.Errorf("it has weights in %q, which is not in its folder: export it again with a file name only", name)
		}
		path := filepath.Join(filepath.Dir(file), name)
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			return nil, "", fmt.Errorf("it has weights in %q, which must be a file next to %s: copy it there", name, modelFile)
		}
		files = append(files, path)
	}
	slices.Sort(files)
	return files, w.precision(), nil
}

var errManyFiles = fmt.Errorf("it has weights in more than %d files", maxExternalFiles)

// weightsReader collects the names of external files, and counts weights.
type weightsReader struct {
	in    *bufio.Reader
	at    int64
	names map[string]bool
	// weights are the numbers of weights by type.
	weights map[ElementType]float64
	// number is the last value of a field of wire type 0.
	number uint64
}

// precision returns the element type of most weights.
func (w *weightsReader) precision() (most ElementType) {
	for _, t := range slices.Sorted(maps.Keys(w.weights)) {
		if w.weights[t] > w.weights[most] {
			most = t
		}
	}
	return most
}

// ReadByte counts the bytes that are read.
func (w *weightsReader) ReadByte() (byte, error) {
	w.at++
	return w.in.ReadByte()
}

// The tags of the fields dims and data_type of TensorProto.
const (
	dimsTag     = 1 << 3
	dataTypeTag = 2 << 3
)

// read reads a message of at most size bytes.
func (w *weightsReader) read(message onnxMessage, size int64, nesting int) error {
	var key, value string
	kind, count := ElementType(""), 1.0 // of a tensor
	for end := w.at + size; w.at < end; {
		tag, err := binary.ReadUvarint(w)
		if err != nil {
			return err
		}
		field, child := tag>>3, onnxFields[message][tag>>3]
		length, err := w.length(tag & 7)
		switch {
		case err != nil:
		case message == tensorProto && tag == dimsTag:
			count *= float64(w.number)
		case message == tensorProto && tag == dataTypeTag:
			kind = weightTypes[w.number]
		case child != otherMessage && tag&7 == 2 && nesting > 0:
			err = w.read(child, length, nesting-1)
		case message == entryProto && field == 1 && length <= maxNameBytes:
			key, err = w.text(length)
		case message == entryProto && field == 2 && length <= maxNameBytes:
			value, err = w.text(length)
		default:
			err = w.skip(length)
		}
		if err != nil {
			return err
		}
	}
	if kind != "" {
		w.weights[kind] += count
	}
	if key == "location" {
		w.names[value] = true
	}
	if len(w.names) > maxExternalFiles {
		return errManyFiles
	}
	return nil
}

// length returns how many bytes the value of a field has, by its wire type.
func (w *weightsReader) length(wireType uint64) (int64, error) {
	switch wireType {
	case 0:
		n, err := binary.ReadUvarint(w)
		w.number = n
		return 0, err
	case 1:
		return 8, nil
	case 2:
		n, err := binary.ReadUvarint(w)
		return int64(min(n, maxModelBytes)), err
	case 5:
		return 4, nil
	}
	return 0, fmt.Errorf("unknown wire type %d", wireType)
}

func (w *weightsReader) text(length int64) (string, error) {
	text := make([]byte, length)
	n, err := io.ReadFull(w.in, text)
	w.at += int64(n)
	return string(text), err
}

func (w *weightsReader) skip(length int64) error {
	n, err := w.in.Discard(int(length))
	w.at += int64(n)
	return err
}
