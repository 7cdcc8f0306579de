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
	// types are those of the outputs. The shape of one of Float16 is known, because the Go
	// package of the runtime cannot read such an output otherwise.
	types []ElementType
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

func newOutputPool(info Info, types []ElementType) (*outputPool, error) {
	o := &outputPool{info: info, types: types, buffers: make([]floatPool, len(info.Outputs))}
	for i := range info.Outputs {
		shape := o.shape(i, 1)
		dynamic := slices.ContainsFunc(shape, func(dim int64) bool { return dim < 1 })
		if dynamic && types[i] == Float16 {
			return nil, fmt.Errorf("its output %v of float16 has a dynamic shape: export it with fixed shapes, or with outputs of float32",
				[]int64(shape))
		}
		o.dynamic = o.dynamic || dynamic
	}
	return o, nil
}

// shape returns the declared shape of an output for a batch of this size.
func (o *outputPool) shape(i int, size int64) ort.Shape {
	shape := slices.Clone(o.info.Outputs[i])
	if len(shape) > 0 && shape[0] < 0 && batch(o.info.Inputs[0].Shape) < 0 {
		shape[0] = size
	}
	return shape
}

// batch returns the first dimension of a shape, or 1 for that of a single number.
func batch(shape []int64) int64 {
	if len(shape) == 0 {
		return 1
	}
	return shape[0]
}

// with passes output tensors to run, which fills them, and then to use. A nil
// tensor means that the runtime allocates it.
func (o *outputPool) with(size int64, run func([]ort.Value) error, use func([]Tensor) error) error {
	values := make([]ort.Value, len(o.info.Outputs))
	defer func() { destroyAll(values) }() // a failed run may leave some nil
	for i := range values {
		value, release, err := o.allocate(i, size)
		defer release()
		if err != nil {
			return err
		}
		values[i] = value
	}
	if err := run(values); err != nil {
		return err
	}
	return o.read(values, size, use)
}

// allocate returns the tensor for an output, or nil if the runtime allocates it. The
// caller calls release at the end.
func (o *outputPool) allocate(i int, size int64) (value ort.Value, release func(), err error) {
	shape, release := o.shape(i, size), func() {}
	switch {
	case o.types[i] == Float16:
		value, err = ort.NewCustomDataTensor(shape, make([]byte, 2*shape.FlattenedSize()), ort.TensorElementDataTypeFloat16)
	case o.types[i] == Float32 && !o.dynamic && o.declared.Load() == correct:
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
func (o *outputPool) read(values []ort.Value, size int64, use func([]Tensor) error) error {
	tensors, same := make([]Tensor, len(values)), true
	for i, value := range values {
		tensor, err := readOutput(value)
		if err != nil {
			return fmt.Errorf("output %d: %w", i, err)
		}
		tensors[i] = tensor
		same = same && ort.Shape(tensor.Shape).Equals(o.shape(i, size))
	}
	if same {
		o.declared.CompareAndSwap(unchecked, correct)
	} else {
		o.declared.Store(wrong)
	}
	return use(tensors)
}
