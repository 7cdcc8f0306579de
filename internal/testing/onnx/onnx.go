// Package onnx writes tiny ONNX models for tests.
package onnx

import (
	"cmp"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/encoding/protowire"
)

// Model is a model whose first input is "input".
type Model struct {
	// OutputName is the name of the first output; empty means "output".
	OutputName string
	// Input and Output are shapes. A dimension of -1 is dynamic; other values are
	// written without checks.
	Input, Output []int64
	// InputType and OutputType are the element types; 0 means Float32.
	InputType, OutputType uint64
	// MoreInputs and MoreOutputs come after the first ones.
	MoreInputs, MoreOutputs []Value
	Nodes                   []Node
	// Constants are float32 tensors by name.
	Constants map[string]Tensor
	Metadata  map[string]string
}

// The numbers of element types in ONNX.
const (
	Float32 = 1
	Uint8   = 2
	Int32   = 6
	Int64   = 7
	Float16 = 10
	Float64 = 11
)

// Value describes a further input or output.
type Value struct {
	Name  string
	Type  uint64 // 0 means Float32
	Shape []int64
}

// Node is an operator. Int and Ints are its attributes that are integers and lists of them, and
// To is the element type that a Cast converts to.
type Node struct {
	Op     string
	Inputs []string
	Output string
	Int    map[string]int64
	Ints   map[string][]int64
	To     uint64
}

// Tensor is an array of numbers in row-major order.
type Tensor struct {
	Shape []int64
	Data  []float32
	// External is the name of a file for the data of a constant. Save writes it if it is below the
	// folder of the model.
	External string
}

// Always returns a model whose output is constant.
func Always(input []int64, output Tensor, metadata map[string]string) Model {
	return Model{
		Input: input, Output: output.Shape, Metadata: metadata,
		Nodes:     []Node{{Op: "Identity", Inputs: []string{"value"}, Output: "output"}},
		Constants: map[string]Tensor{"value": output},
	}
}

// Save writes the model to a file, whose path it joins, and creates its folders.
func (m Model) Save(file ...string) error {
	path := filepath.Join(file...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	for _, tensor := range m.Constants {
		if filepath.IsLocal(tensor.External) {
			external := filepath.Join(filepath.Dir(path), tensor.External)
			if err := os.MkdirAll(filepath.Dir(external), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(external, tensor.raw(), 0o600); err != nil {
				return err
			}
		}
	}
	return os.WriteFile(path, m.encode(), 0o600)
}

// encode returns the file content. Field numbers here and below are from onnx.proto.
func (m Model) encode() []byte {
	var graph message
	for _, n := range m.Nodes {
		graph.bytes(1, n.encode())
	}
	graph.bytes(2, []byte("graph"))
	for name, tensor := range m.Constants {
		graph.bytes(5, tensor.encode(name))
	}
	graph.bytes(11, value("input", m.InputType, m.Input))
	for _, v := range m.MoreInputs {
		graph.bytes(11, value(v.Name, v.Type, v.Shape))
	}
	graph.bytes(12, value(cmp.Or(m.OutputName, "output"), m.OutputType, m.Output))
	for _, v := range m.MoreOutputs {
		graph.bytes(12, value(v.Name, v.Type, v.Shape))
	}

	var opset, model message
	opset.number(2, 13)
	model.number(1, 7) // the version of the file format
	model.bytes(7, graph)
	model.bytes(8, opset)
	for key, value := range m.Metadata {
		var entry message
		entry.bytes(1, []byte(key))
		entry.bytes(2, []byte(value))
		model.bytes(14, entry)
	}
	return model
}

func (n Node) encode() message {
	var node message
	for _, input := range n.Inputs {
		node.bytes(1, []byte(input))
	}
	node.bytes(2, []byte(n.Output))
	node.bytes(4, []byte(n.Op))
	for name, values := range n.Ints {
		node.bytes(5, ints(name, values))
	}
	for name, v := range n.Int {
		node.bytes(5, integer(name, uint64(v)))
	}
	if n.To != 0 {
		node.bytes(5, integer("to", n.To))
	}
	return node
}

func integer(name string, v uint64) message {
	var attribute message
	attribute.bytes(1, []byte(name))
	attribute.number(3, v)
	attribute.number(20, 2) // the type INT
	return attribute
}

func ints(name string, values []int64) message {
	var attribute message
	attribute.bytes(1, []byte(name))
	for _, v := range values {
		attribute.number(8, uint64(v))
	}
	attribute.number(20, 7) // the type INTS
	return attribute
}

// value encodes the description of an input or an output.
func value(name string, elements uint64, dims []int64) message {
	var shape, tensor, kind, value message
	for _, n := range dims {
		var dim message
		if n != -1 {
			dim.number(1, uint64(n))
		}
		shape.bytes(1, dim)
	}
	tensor.number(1, max(elements, Float32))
	tensor.bytes(2, shape)
	kind.bytes(1, tensor)
	value.bytes(1, []byte(name))
	value.bytes(2, kind)
	return value
}

func (t Tensor) encode(name string) message {
	var tensor message
	for _, n := range t.Shape {
		tensor.number(1, uint64(n))
	}
	tensor.number(2, Float32)
	tensor.bytes(8, []byte(name))
	if t.External == "" {
		tensor.bytes(9, t.raw())
		return tensor
	}
	var location message
	location.bytes(1, []byte("location"))
	location.bytes(2, []byte(t.External))
	tensor.bytes(13, location)
	tensor.number(14, 1) // the place EXTERNAL
	return tensor
}

func (t Tensor) raw() (raw []byte) {
	for _, v := range t.Data {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return raw
}

// message is an encoded protobuf message.
type message []byte

func (m *message) number(field protowire.Number, v uint64) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), v)
}

func (m *message) bytes(field protowire.Number, v []byte) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), v)
}
