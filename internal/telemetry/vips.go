package telemetry

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/metric"

	"imageflow.dev/internal/metrics"
)

// VipsMemory is the memory of libvips in the process.
type VipsMemory struct {
	// Bytes are in use now. HighWater is the maximum of Bytes since the start.
	Bytes, HighWater int64
	Allocations      int64
	OpenFiles        int64
}

var (
	vipsMemory      = metrics.ObservableGauge("imageflow.vips.memory", "By", "memory of libvips in bytes")
	vipsHighWater   = metrics.ObservableGauge("imageflow.vips.memory.high_water", "By", "maximum memory of libvips since the start")
	vipsAllocations = metrics.ObservableGauge("imageflow.vips.allocations", "{allocation}", "allocations of libvips")
	vipsFiles       = metrics.ObservableGauge("imageflow.vips.open_files", "{file}", "files that libvips has open")
	watchVips       sync.Once
)

// WatchVips calls read at each collection of the metrics, for as long as the process lives.
// Later calls do nothing: all processors of a process share one libvips.
func WatchVips(read func() VipsMemory) {
	watchVips.Do(func() {
		metrics.Observe(func(_ context.Context, o metric.Observer) error {
			now := read()
			o.ObserveInt64(vipsMemory, now.Bytes)
			o.ObserveInt64(vipsHighWater, now.HighWater)
			o.ObserveInt64(vipsAllocations, now.Allocations)
			o.ObserveInt64(vipsFiles, now.OpenFiles)
			return nil
		}, vipsMemory, vipsHighWater, vipsAllocations, vipsFiles)
	})
}
