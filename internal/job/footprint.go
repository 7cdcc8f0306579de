package job

import (
	"fmt"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
)

// footprint returns the memory in bytes that the processor needs for all outputs, which share a decoding unless
// share is nil. It returns an error if that exceeds the budget.
func (all group) footprint(p functions.Processor, budget *Admission, share *imaging.Share) (total int64, err error) {
	for _, one := range all {
		bytes, err := footprintOf(p, one.plan, budget)
		if err != nil {
			return 0, one.plan.atField(err)
		}
		total += bytes
	}
	if share != nil {
		total += share.Footprint(all[0].plan.image.Header)
	}
	if !budget.fits(total) {
		return 0, functions.Errorf(functions.Invalid, p.Renditions.Field,
			"%d outputs need %d MiB of memory together, but the budget is %d MiB (MAX_DECODED_BYTES): make some by requests of "+
				"their own", len(all), mebibytes(total), budget.limits.DecodedBytes>>20)
	}
	return total, nil
}

// footprintOf returns the memory in bytes that the processor needs for one output.
func footprintOf(processor functions.Processor, p *resolvedPlan, budget *Admission) (int64, error) {
	bytes := p.image.Footprint(p.format)
	if processor.Footprint != nil {
		bytes = processor.Footprint(p.request, p.processorInput())
	}
	if budget.fits(bytes) {
		return bytes, nil
	}
	field, output := p.imageField(), string(p.format)
	if processor.Output != nil {
		if larger, size := processor.Output(p.request, p.processorInput()); larger != "" {
			field, output = larger, fmt.Sprintf("%d×%d of %s", size.X, size.Y, p.format)
		}
	}
	width, height := p.image.Size()
	return 0, functions.Errorf(functions.Invalid, field,
		"%d×%d pixels of %s to %s need %d MiB of memory, but the budget is %d MiB (MAX_DECODED_BYTES)", width, height,
		p.image.Format, output, mebibytes(bytes), budget.limits.DecodedBytes>>20)
}

// mebibytes rounds up.
func mebibytes(n int64) int64 { return (n + 1<<20 - 1) >> 20 }
