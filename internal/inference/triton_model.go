package inference

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	kserve "imageflow.dev/proto/inference"
)

// float32Type is the protocol's name of float32.
const float32Type = "FP32"

// tritonModel is a model as the server described it.
type tritonModel struct {
	triton *Triton
	info   Info

	inputs  sync.Pool // of *[]byte, the encoded inputs
	outputs floatPool
}

// Info returns the model's description.
func (m *tritonModel) Info() Info { return m.info }

// Infer runs the model in the version that the server chooses. It returns
// ErrChanged if that is not the version described by Info.
func (m *tritonModel) Infer(ctx context.Context, input Tensor, use func([]Tensor) error) error {
	if n, err := elements(input.Shape); err != nil || n != len(input.Data) {
		return fmt.Errorf("the input has the shape %v but %d numbers", input.Shape, len(input.Data))
	}
	start := time.Now()
	resp, err := m.run(ctx, input)
	recordRun(ctx, backendTriton, m.info.Name, start, err)
	if err != nil {
		return fmt.Errorf("model %q at Triton: %w", m.info.Name, err)
	}
	if m.info.Version != "" && resp.GetModelVersion() != m.info.Version {
		m.triton.evict(m)
		return fmt.Errorf("model %q at Triton: version %q ran, not %q: %w",
			m.info.Name, resp.GetModelVersion(), m.info.Version, ErrChanged)
	}
	var buffers []*[]float32
	defer func() {
		for _, b := range buffers {
			m.outputs.putBuffer(b)
		}
	}()
	tensors := make([]Tensor, len(m.info.OutputNames))
	for i, name := range m.info.OutputNames {
		buffer := m.outputs.getBuffer()
		buffers = append(buffers, buffer)
		if tensors[i], err = output(resp, name, buffer); err != nil {
			return fmt.Errorf("model %q at Triton: %w", m.info.Name, err)
		}
	}
	return use(tensors)
}

// run sends the input and returns the response.
func (m *tritonModel) run(ctx context.Context, input Tensor) (*kserve.ModelInferResponse, error) {
	raw, ok := m.inputs.Get().(*[]byte)
	if !ok {
		raw = new([]byte)
	}
	defer m.inputs.Put(raw) // gRPC has copied it by then
	*raw = (*raw)[:0]
	for _, v := range input.Data {
		*raw = binary.LittleEndian.AppendUint32(*raw, math.Float32bits(v))
	}
	req := &kserve.ModelInferRequest{
		ModelName: m.info.Name,
		Inputs: []*kserve.ModelInferRequest_InferInputTensor{
			{Name: m.info.InputName, Datatype: float32Type, Shape: input.Shape},
		},
		RawInputContents: [][]byte{*raw},
	}
	for _, name := range m.info.OutputNames {
		req.Outputs = append(req.Outputs, &kserve.ModelInferRequest_InferRequestedOutputTensor{Name: name})
	}
	resp, err := m.triton.client.ModelInfer(ctx, req)
	if err != nil && ctx.Err() == nil {
		m.triton.invalidate(m.info.Name) // the model may be gone or have another shape
	}
	return resp, m.triton.explainNotFound(ctx, m.info.Name, err)
}

// output decodes the output of this name into buffer.
func output(resp *kserve.ModelInferResponse, name string, buffer *[]float32) (Tensor, error) {
	hasName := func(o *kserve.ModelInferResponse_InferOutputTensor) bool { return o.GetName() == name }
	i := slices.IndexFunc(resp.GetOutputs(), hasName)
	if i < 0 || i >= len(resp.GetRawOutputContents()) {
		return Tensor{}, fmt.Errorf("output %q is missing or not raw", name)
	}
	out, raw := resp.GetOutputs()[i], resp.GetRawOutputContents()[i]
	if out.GetDatatype() != float32Type {
		return Tensor{}, fmt.Errorf("output %q is of type %s, not %s", name, out.GetDatatype(), float32Type)
	}
	n, err := elements(out.GetShape())
	if err != nil || 4*n != len(raw) {
		return Tensor{}, fmt.Errorf("output %q of shape %v has %d bytes", name, out.GetShape(), len(raw))
	}
	*buffer = slices.Grow((*buffer)[:0], n)[:n]
	for k := range *buffer {
		(*buffer)[k] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*k:]))
	}
	return Tensor{Shape: out.GetShape(), Data: *buffer}, nil
}

// elements returns the number of elements of a tensor of this shape.
func elements(shape []int64) (int, error) {
	n := int64(1)
	for _, dim := range shape {
		if dim < 0 || dim > 0 && n > math.MaxInt32/dim {
			return 0, fmt.Errorf("the shape %v is out of range", shape)
		}
		n *= dim
	}
	return int(n), nil
}
