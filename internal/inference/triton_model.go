package inference

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	kserve "imageflow.dev/proto/inference"
)

// tritonModel is a model as the server described it.
type tritonModel struct {
	triton *Triton
	key    versionKey // in the cache
	info   Info

	inputs  sync.Pool // of *[]byte, the encoded inputs
	outputs floatPool
}

// Info returns the model's description.
func (m *tritonModel) Info() Info { return m.info }

// Infer runs the model in its version, or in the one that the server chooses. It returns
// ErrChanged if that is not the version described by Info.
func (m *tritonModel) Infer(ctx context.Context, inputs []Tensor, use func([]Tensor) error) error {
	if err := m.info.checkInputs(inputs); err != nil {
		return err
	}
	start := time.Now()
	resp, err := m.run(ctx, inputs)
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

// run sends the inputs and returns the response.
func (m *tritonModel) run(ctx context.Context, inputs []Tensor) (*kserve.ModelInferResponse, error) {
	raw, ok := m.inputs.Get().(*[]byte)
	if !ok {
		raw = new([]byte)
	}
	defer m.inputs.Put(raw) // gRPC has copied it by then
	*raw = (*raw)[:0]
	req := &kserve.ModelInferRequest{ModelName: m.key.name, ModelVersion: m.key.version}
	for i, in := range inputs {
		info, start := m.info.Inputs[i], len(*raw)
		*raw = appendNumbers(*raw, in.Data, info.Type)
		req.RawInputContents = append(req.RawInputContents, (*raw)[start:])
		req.Inputs = append(req.Inputs, &kserve.ModelInferRequest_InferInputTensor{
			Name: info.Name, Datatype: string(info.Type), Shape: in.Shape,
		})
	}
	for _, name := range m.info.OutputNames {
		req.Outputs = append(req.Outputs, &kserve.ModelInferRequest_InferRequestedOutputTensor{Name: name})
	}
	resp, err := m.triton.client.ModelInfer(ctx, req)
	if err != nil && ctx.Err() == nil {
		m.triton.invalidate(m.key) // the model may be gone or have another shape
	}
	return resp, m.triton.explainNotFound(ctx, m.key, err)
}

// output decodes the output of this name into buffer.
func output(resp *kserve.ModelInferResponse, name string, buffer *[]float32) (Tensor, error) {
	hasName := func(o *kserve.ModelInferResponse_InferOutputTensor) bool { return o.GetName() == name }
	i := slices.IndexFunc(resp.GetOutputs(), hasName)
	if i < 0 || i >= len(resp.GetRawOutputContents()) {
		return Tensor{}, fmt.Errorf("output %q is missing or not raw", name)
	}
	out, raw := resp.GetOutputs()[i], resp.GetRawOutputContents()[i]
	kind := ElementType(out.GetDatatype())
	if readNumber[kind] == nil {
		return Tensor{}, fmt.Errorf("output %q is of type %s, which is not supported", name, kind)
	}
	n, err := elements(out.GetShape())
	if err != nil || elementSizes[kind]*n != len(raw) {
		return Tensor{}, fmt.Errorf("output %q of shape %v has %d bytes", name, out.GetShape(), len(raw))
	}
	*buffer = slices.Grow((*buffer)[:0], n)[:n]
	readNumbers(*buffer, raw, kind)
	return Tensor{Shape: out.GetShape(), Data: *buffer}, nil
}
