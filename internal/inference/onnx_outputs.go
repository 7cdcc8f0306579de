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

func newOutputPool(info Info) *outputPool {
	o := &outputPool{info: info, buffers: make([]floatPool, len(info.Outputs))}
	for i := range info.Outputs {
		o.dynamic = o.dynamic || slices.ContainsFunc(o.shape(i, 1), func(dim int64) bool { return dim < 1 })
	}
	return o
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
	if !o.dynamic && o.declared.Load() == correct {
		for i := range values {
			shape := o.shape(i, batch)
			n := int(shape.FlattenedSize())
			buffer := o.buffers[i].getBuffer()
			defer o.buffers[i].putBuffer(buffer)
			*buffer = slices.Grow((*buffer)[:0], n)[:n]
			tensor, err := ort.NewTensor(shape, *buffer)
			if err != nil {
				return err
			}
			values[i] = tensor
		}
	}
	if err := run(values); err != nil {
		return err
	}
	return o.read(values, batch, use)
}

// read passes the outputs of a run to use, and compares their shapes with the
// declared ones.
func (o *outputPool) read(values []ort.Value, batch int64, use func([]Tensor) error) error {
	tensors, same := make([]Tensor, len(values)), true
	for i, value := range values {
		tensor, ok := value.(*ort.Tensor[float32])
		if !ok {
			return fmt.Errorf("output %d is not a float32 tensor", i)
		}
		tensors[i] = Tensor{Shape: tensor.GetShape(), Data: tensor.GetData()}
		same = same && tensor.GetShape().Equals(o.shape(i, batch))
	}
	if same {
		o.declared.CompareAndSwap(unchecked, correct)
	} else {
		o.declared.Store(wrong)
	}
	return use(tensors)
}
