package imaging

// #include "stop.h"
import "C"

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
)

// errFailed means that a C function returned an error.
var errFailed = errors.New("failed")

// stoppable calls a C function with a flag that is set when ctx ends. If the call fails, it
// returns the error of an ended ctx, or else errFailed.
func stoppable(ctx context.Context, call func(stop C.Stop) C.int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	flag := new(int32)
	var pin runtime.Pinner
	pin.Pin(flag)
	defer pin.Unpin()
	defer context.AfterFunc(ctx, func() { atomic.StoreInt32(flag, 1) })()
	enter()
	defer leave()
	if call((*C.int32_t)(flag)) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return errFailed
}
