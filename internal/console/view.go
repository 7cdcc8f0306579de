package console

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"time"

	"imageflow.dev/internal/events"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// stageNames are the parts of a job that follow each other, in order. The job measures "apply" with the parts in it.
var stageNames = []string{"queue", "fetch", "decode", "infer", "apply", "encode", "store"}

// inApply are the parts that "apply" includes.
var inApply = []string{"decode", "infer", "encode"}

// stagesOf returns the times of the parts of a job. None overlap.
func stagesOf(result *imageflowv1.ProcessingResult) (all []stage) {
	times := map[string]float64{}
	for _, name := range stageNames {
		times[name], _ = strconv.ParseFloat(events.StageTime(name).Get(result), 64) // 0 if there was no such part
	}
	for _, name := range inApply {
		times["apply"] = max(0, times["apply"]-times[name])
	}
	for _, name := range stageNames {
		if times[name] > 0 {
			all = append(all, stage{name, times[name]})
		}
	}
	return all
}

// stepOf returns the step with this result.
func stepOf(name string, result *imageflowv1.ProcessingResult) runStep {
	return runStep{
		Name: name, Variant: events.Variant.Get(result), Output: result.GetOutputImage(), SideCar: events.SideCar.Get(result),
		Finished: result.GetProcessedAt().AsTime(), Seconds: result.GetProcessingTimeSeconds(), Stages: stagesOf(result),
	}
}

// runOf returns what the gateway says about an execution.
func runOf(bucket string, e *imageflowv1.GetExecutionResponse) *run {
	return &run{
		Bucket: bucket, ID: e.GetExecutionId(), Key: e.GetSource().GetObjectKey(), ETag: e.GetSource().GetEtag(),
		Status: e.GetStatus(), Began: e.GetSource().GetCreatedAt().AsTime(), Updated: lastOf(e), Steps: stepsOf(e),
		Failure: e.GetFailure(), Bytes: e.GetSource().GetSizeBytes(),
	}
}

// lastOf returns the time of the last thing that happened to an execution.
func lastOf(e *imageflowv1.GetExecutionResponse) time.Time {
	last := e.GetSource().GetCreatedAt().AsTime()
	for _, s := range e.GetSteps() {
		last = later(last, s.GetFinishedAt().AsTime())
	}
	return later(last, e.GetFailure().GetFailedAt().AsTime())
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// stepsOf returns the steps of an execution, whose stages are unknown.
func stepsOf(e *imageflowv1.GetExecutionResponse) (all []runStep) {
	for _, s := range e.GetSteps() {
		all = append(all, runStep{
			Name: s.GetName(), Variant: s.GetVariant(), Output: s.GetOutputImage(), SideCar: s.GetSideCar(),
			Finished: s.GetFinishedAt().AsTime(), Seconds: s.GetProcessingTimeSeconds(),
		})
	}
	return all
}

// withKnownTimes returns steps with the times that events reported of the same outputs. They include the storing of the output,
// which the metadata of the output cannot have.
func withKnownTimes(steps, known []runStep) []runStep {
	for i, s := range steps {
		at := slices.IndexFunc(known, func(k runStep) bool {
			return k.Output.GetObjectKey() == s.Output.GetObjectKey() && k.Output.GetEtag() == s.Output.GetEtag()
		})
		if at >= 0 {
			steps[i].Seconds, steps[i].Stages = known[at].Seconds, known[at].Stages
		}
	}
	return steps
}

// summaryRun returns a run of a list.
func summaryRun(e *imageflowv1.ExecutionSummary) *run {
	r := &run{
		Bucket: e.GetBucket(), ID: e.GetExecutionId(), Key: e.GetObjectKey(), ETag: e.GetEtag(), Status: e.GetStatus(),
		Began: e.GetArrivedAt().AsTime(), Updated: e.GetUpdatedAt().AsTime(),
	}
	for _, s := range e.GetSteps() {
		r.Steps = append(r.Steps, runStep{Name: s.GetName(), Variant: s.GetVariant(), Finished: s.GetFinishedAt().AsTime()})
	}
	return r
}

// DOM returns the id of the run's element in a page.
func (r *run) DOM() string { return domID("x", r.Bucket, r.ID) }

// domID returns an id for an element of a page, whatever the parts contain.
func domID(kind string, parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		h.Write([]byte(part + "\x00"))
	}
	return kind + "-" + hex.EncodeToString(h.Sum(nil)[:8])
}

// URL returns the page of the run.
func (r *run) URL() string {
	return "/execution?" + url.Values{"bucket": {r.Bucket}, "id": {r.ID}}.Encode()
}

// LiveURL returns the URL of the run's live updates.
func (r *run) LiveURL() string {
	return livePath + "?" + url.Values{"bucket": {r.Bucket}, "id": {r.ID}}.Encode()
}

// Took returns the time from the upload to the newest event.
func (r *run) Took() time.Duration { return max(0, r.Updated.Sub(r.Began)) }

// Images returns the upload, unless its key is unknown, and the outputs.
func (r *run) Images() (all []runImage) {
	if r.Key != "" {
		source := &imageflowv1.ImageData{
			Bucket: r.Bucket, ObjectKey: r.Key, Etag: r.ETag, SizeBytes: r.Bytes, Width: r.Width, Height: r.Height,
		}
		all = append(all, runImage{DOM: domID("i", r.Bucket, r.ID, ""), Run: r.DOM(), Title: "upload", Image: source})
	}
	for _, s := range r.Steps {
		image := runImage{
			DOM: domID("i", r.Bucket, r.ID, s.Output.GetObjectKey()), Run: r.DOM(), Title: s.Title(), Image: s.Output, Step: &s,
		}
		image.Answer = objectURL(r.Bucket, s.SideCar, "")
		if s.Name == "detect" {
			image.Detections = image.Answer
		}
		all = append(all, image)
	}
	return all
}

// Title returns the name of a step with its variant.
func (s runStep) Title() string {
	if s.Variant == "" {
		return s.Name
	}
	return s.Name + " " + s.Variant
}

// bar is a part of a job in a drawing that is 100 wide.
type bar struct{ Name, X, Width string }

// Bars returns the stages side by side, each as wide as its part of the time.
func (s runStep) Bars() (all []bar) {
	total, at := 0.0, 0.0
	for _, part := range s.Stages {
		total += part.Milliseconds
	}
	for _, part := range s.Stages {
		all = append(all, bar{part.Name, percent(at, total), percent(part.Milliseconds, total)})
		at += part.Milliseconds
	}
	return all
}

// runImage is an image of a run.
type runImage struct {
	// DOM and Run are the ids of the image's element and of the run's.
	DOM, Run, Title string
	Image           *imageflowv1.ImageData
	// Step is the step that made it; nil for the upload.
	Step *runStep
	// Answer is the URL of the step's side-car; empty if it has none.
	Answer string
	// Detections is the URL of the step's detections; empty if it looked for none.
	Detections string
}

// URL returns the URL of the image's bytes.
func (i runImage) URL() string {
	return objectURL(i.Image.GetBucket(), i.Image.GetObjectKey(), i.Image.GetEtag())
}

// objectURL returns the URL of an object's bytes, of one version if there is an entity tag.
func objectURL(bucket, key, etag string) string {
	if key == "" {
		return ""
	}
	query := url.Values{"bucket": {bucket}, "key": {key}}
	if etag != "" {
		query.Set("etag", etag)
	}
	return "/object?" + query.Encode()
}
