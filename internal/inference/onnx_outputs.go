//go:build cgo

package inference

import (
	"fmt"
	"slices"
	"sync/atomic"

	ort "github.com/yalue/onnxruntime_go"
)

// outputPool pools the output buffers of a model whose output shapes are known
// before a run. For other models the runtime allocates the outputs.
type outputPool struct {
	info Info
	// halves reports for each output whether it is of float16. Its shape is known, because
	// the Go package of the runtime cannot read such an output otherwise.
	halves []bool
	// dynamic means that only a run shows the shape of an output.
	dynamic bool
	// declared is the comparison of the declared shapes with those of the runs:
	// some files declare wrong shapes.
	declared atomic.Int32
	buffers  []floatPool // by output
}

// The values of outputPool.declared.
const (
	unchecked = iota
	correct
	wrong
)

func newOutputPool(info Info, halves []bool) (*outputPool, error) {
	o := &outputPool{info: info, halves: halves, buffers: make([]floatPool, len(info.Outputs))}
	for i := range info.Outputs {
		shape := o.shape(i, 1)
		dynamic := slices.ContainsFunc(shape, func(dim int64) bool { return dim < 1 })
		if dynamic && halves[i] {
			return nil, fmt.Errorf("its output %v of float16 has a dynamic shape: export it with fixed shapes, or with outputs of float32",
				[]int64(shape))
		}
		o.dynamic = o.dynamic || dynamic
	}
	return o, nil
}

// shape returns the declared shape of an output for a batch of this size.
func (o *outputPool) shape(i int, batch int64) ort.Shape {
	shape := slices.Clone(o.info.Outputs[i])
	if len(shape) > 0 && shape[0] < 0 && o.info.Input[0] < 0 {
		shape[0] = batch
	}
	return shape
}

// with passes output tensors to run, which fills them, and then to use. A nil
// tensor means that the runtime allocates it.
func (o *outputPool) with(batch int64, run func([]ort.Value) error, use func([]Tensor) error) error {
	values := make([]ort.Value, len(o.info.Outputs))
	defer func() {
		for _, value := range values {
			if value != nil { // a failed run may leave it nil
				destroy(value)
			}
		}
	}()
	for i := range values {
		value, release, err := o.allocate(i, batch)
		defer release()
		if err != nil {
			return err
		}
		values[i] = value
	}
	if err := run(values); err != nil {
		return err
	}
	return o.read(values, batch, use)
}

// allocate returns the tensor for an output, or nil if the runtime allocates it. The
// caller calls release at the end.
func (o *outputPool) allocate(i int, batch int64) (value ort.Value, release func(), err error) {
	shape, release := o.shape(i, batch), func() {}
	switch {
	case o.halves[i]:
		value, err = ort.NewCustomDataTensor(shape, make([]byte, 2*shape.FlattenedSize()), ort.TensorElementDataTypeFloat16)
	case !o.dynamic && o.declared.Load() == correct:
		n, buffer := int(shape.FlattenedSize()), o.buffers[i].getBuffer()
		*buffer = slices.Grow((*buffer)[:0], n)[:n]
		release = func() { o.buffers[i].putBuffer(buffer) }
		value, err = ort.NewTensor(shape, *buffer)
	}
	if err != nil {
		return nil, release, err // value holds a nil pointer
	}
	return value, release, nil
}

// read passes the outputs of a run to use, and compares their shapes with the
// declared ones.
func (o *outputPool) read(values []ort.Value, batch int64, use func([]Tensor) error) error {
	tensors, same := make([]Tensor, len(values)), true
	for i, value := range values {
		tensor, err := readOutput(value)
		if err != nil {
			return fmt.Errorf("output %d: %w", i, err)
		}
		tensors[i] = tensor
		same = same && ort.Shape(tensor.Shape).Equals(o.shape(i, batch))
	}
	if same {
		o.declared.CompareAndSwap(unchecked, correct)
	} else {
		o.declared.Store(wrong)
	}
	return use(tensors)
}
