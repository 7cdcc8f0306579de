package imaging

// #include <stdlib.h>
// #ifdef __GLIBC__
// #include <malloc.h>
// static void trim(void) { malloc_trim(0); }
// #else
// static void trim(void) {}
// #endif
import "C"

import (
	"runtime/debug"
	"sync"
	"time"
)

// restTime is how long no C function must run before the process is at rest.
const restTime = 5 * time.Second

// rest returns free memory to the operating system when the process comes to rest: glibc
// keeps the free memory between allocations in use, and Go's garbage collector runs again only
// after the heap has grown by GOGC, or two minutes later.
var rest struct {
	mu    sync.Mutex
	calls int // running now
	timer *time.Timer
}

// returnFree returns the memory that C has freed to the operating system.
func returnFree() { C.trim() }

// enter reports the start of a call of a C function.
func enter() {
	rest.mu.Lock()
	defer rest.mu.Unlock()
	rest.calls++
	if rest.timer != nil {
		rest.timer.Stop()
	}
}

// leave reports the end of a call.
func leave() {
	rest.mu.Lock()
	defer rest.mu.Unlock()
	if rest.calls--; rest.calls > 0 {
		return
	}
	if rest.timer == nil {
		rest.timer = time.AfterFunc(restTime, func() {
			returnFree()
			debug.FreeOSMemory()
		})
		return
	}
	rest.timer.Reset(restTime)
}
