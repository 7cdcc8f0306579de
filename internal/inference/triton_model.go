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

// float32Type is the protocol's name for float32.
const float32Type = "FP32"

// tritonModel is a model as the server described it.
type tritonModel struct {
	triton *Triton
	info   Info

	raw    sync.Pool // of *[]byte, what inputs were written into
	floats sync.Pool // of *[]float32, what outputs were read into
}

// Info returns the model's description.
func (m *tritonModel) Info() Info { return m.info }

// Infer runs the model, in the version that the server chooses. Where that is not
// the one described, the run is void and the error ErrChanged.
func (m *tritonModel) Infer(ctx context.Context, input Tensor, use func([]Tensor) error) error {
	if n, err := elements(input.Shape); err != nil || n != len(input.Data) {
		return fmt.Errorf("an input of shape %v has %d numbers", input.Shape, len(input.Data))
	}
	start := time.Now()
	resp, err := m.run(ctx, input)
	measure(ctx, backendTriton, m.info.Name, start, err)
	if err != nil {
		return fmt.Errorf("model %q at Triton: %w", m.info.Name, err)
	}
	if m.info.Version != "" && resp.GetModelVersion() != m.info.Version {
		m.triton.forget(m)
		return fmt.Errorf("model %q at Triton: version %q ran, not %q: %w", m.info.Name, resp.GetModelVersion(), m.info.Version, ErrChanged)
	}
	var buffers []*[]float32
	defer func() {
		for _, b := range buffers {
			m.floats.Put(b)
		}
	}()
	tensors := make([]Tensor, len(m.info.OutputNames))
	for i, name := range m.info.OutputNames {
		buffer := borrow[float32](&m.floats)
		buffers = append(buffers, buffer)
		if tensors[i], err = output(resp, name, buffer); err != nil {
			return fmt.Errorf("model %q at Triton: %w", m.info.Name, err)
		}
	}
	return use(tensors)
}

// run sends the input and returns what came back.
func (m *tritonModel) run(ctx context.Context, input Tensor) (*kserve.ModelInferResponse, error) {
	raw := borrow[byte](&m.raw)
	defer m.raw.Put(raw) // the call has copied it when it returns
	*raw = (*raw)[:0]
	for _, v := range input.Data {
		*raw = binary.LittleEndian.AppendUint32(*raw, math.Float32bits(v))
	}
	req := &kserve.ModelInferRequest{
		ModelName:        m.info.Name,
		Inputs:           []*kserve.ModelInferRequest_InferInputTensor{{Name: m.info.InputName, Datatype: float32Type, Shape: input.Shape}},
		RawInputContents: [][]byte{*raw},
	}
	for _, name := range m.info.OutputNames {
		req.Outputs = append(req.Outputs, &kserve.ModelInferRequest_InferRequestedOutputTensor{Name: name})
	}
	resp, err := call(ctx, m.triton, m.triton.client.ModelInfer, req)
	if err != nil && ctx.Err() == nil {
		m.triton.doubt(m.info.Name) // it may have gone, or be of another shape now
	}
	return resp, m.triton.settle(ctx, m.info.Name, err)
}

// output reads an output into a buffer.
func output(resp *kserve.ModelInferResponse, name string, buffer *[]float32) (Tensor, error) {
	i := slices.IndexFunc(resp.GetOutputs(), func(o *kserve.ModelInferResponse_InferOutputTensor) bool { return o.GetName() == name })
	if i < 0 || i >= len(resp.GetRawOutputContents()) {
		return Tensor{}, fmt.Errorf("the output %q is missing, or not raw", name)
	}
	out, raw := resp.GetOutputs()[i], resp.GetRawOutputContents()[i]
	if out.GetDatatype() != float32Type {
		return Tensor{}, fmt.Errorf("the output %q is of %s, not %s", name, out.GetDatatype(), float32Type)
	}
	n, err := elements(out.GetShape())
	if err != nil || 4*n != len(raw) {
		return Tensor{}, fmt.Errorf("the output %q of shape %v has %d bytes", name, out.GetShape(), len(raw))
	}
	*buffer = slices.Grow((*buffer)[:0], n)[:n]
	for k := range *buffer {
		(*buffer)[k] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*k:]))
	}
	return Tensor{Shape: out.GetShape(), Data: *buffer}, nil
}

// elements returns how many numbers a tensor of a shape has.
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

func borrow[T any](pool *sync.Pool) *[]T {
	if b, ok := pool.Get().(*[]T); ok {
		return b
	}
	return new([]T)
}
