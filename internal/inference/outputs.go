//go:build cgo

package inference

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	ort "github.com/yalue/onnxruntime_go"
)

// outputs lends runs of a model what they write into, and uses it again where
// the model has said how large its outputs are. Else the runtime makes them.
type outputs struct {
	info Info
	// open is whether an output's shape is known from a run only.
	open bool
	// seen is asDeclared or otherwise when a run has shown whether the shapes are
	// what the model says, which some files get wrong.
	seen  atomic.Int32
	pools []sync.Pool // of *[]float32, by output
}

const (
	asDeclared = 1
	otherwise  = 2
)

func (o *outputs) declare(info Info) {
	o.info, o.pools = info, make([]sync.Pool, len(info.Outputs))
	for i := range info.Outputs {
		o.open = o.open || slices.ContainsFunc(o.shape(i, 1), func(dim int64) bool { return dim < 1 })
	}
}

// shape returns what the model says of the shape of an output for a batch.
func (o *outputs) shape(i int, batch int64) ort.Shape {
	shape := slices.Clone(o.info.Outputs[i])
	if len(shape) > 0 && shape[0] < 0 && o.info.Input[0] < 0 {
		shape[0] = batch
	}
	return shape
}

// lend has a run write its outputs, and use read them.
func (o *outputs) lend(batch int64, run func([]ort.Value) error, use func([]Tensor) error) error {
	values := make([]ort.Value, len(o.info.Outputs))
	defer func() {
		for _, value := range values { // a failed run may have made none
			if value != nil {
				_ = value.Destroy()
			}
		}
	}()
	if !o.open && o.seen.Load() == asDeclared {
		for i := range values {
			shape := o.shape(i, batch)
			n := int(shape.FlattenedSize())
			buffer := borrow[float32](&o.pools[i])
			defer o.pools[i].Put(buffer)
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

func (o *outputs) read(values []ort.Value, batch int64, use func([]Tensor) error) error {
	tensors, same := make([]Tensor, len(values)), true
	for i, value := range values {
		tensor, ok := value.(*ort.Tensor[float32])
		if !ok {
			return fmt.Errorf("output %d is no tensor of float32", i)
		}
		tensors[i] = Tensor{Shape: tensor.GetShape(), Data: tensor.GetData()}
		same = same && tensor.GetShape().Equals(o.shape(i, batch))
	}
	if same {
		o.seen.CompareAndSwap(0, asDeclared)
	} else {
		o.seen.Store(otherwise)
	}
	return use(tensors)
}
