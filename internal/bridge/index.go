package bridge

import (
	"time"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/index"
	"imageflow.dev/internal/objects"
)

// indexArrival adds an upload to the index.
func (b *Bridge) indexArrival(info objects.Info, at time.Time) {
	b.index.Append(index.Entry{
		Bucket: info.Bucket, ID: execution.ID(info.Key), Key: info.Key, ETag: info.ETag, Size: info.Size, Arrived: at.UTC(),
	})
}

// indexOutput adds the output of a step to the index.
func (b *Bridge) indexOutput(info objects.Info) {
	step := index.Step{
		Name: info.Metadata[execution.StepMetadata], Variant: info.Metadata[execution.VariantMetadata],
		ETag: info.Metadata[execution.OriginMetadata], At: time.Now().UTC(),
	}
	b.index.Append(index.Entry{Bucket: info.Bucket, ID: info.Metadata[execution.IDMetadata], Steps: []index.Step{step}})
}

// indexOutcome adds the outcome of a version of an upload to the index.
func (b *Bridge) indexOutcome(version events.Origin, status string) {
	outcome := index.Outcome{Status: status, ETag: version.ETag, At: time.Now().UTC()}
	b.index.Append(index.Entry{Bucket: version.Bucket, ID: execution.ID(version.Key), Outcome: outcome})
}
