// Package functions defines processors. Each package below it contains one: it takes an
// image and typed parameters, and returns an image and typed metadata. A processor
// uses no store, no broker and no protocol.
package functions

import (
	"context"
	"image"
	"sync"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Request has the fields that the requests of all processors have in common.
type Request interface {
	proto.Message
	GetInputImage() *imageflowv1.ImageData
	GetInputBytes() []byte
	GetOutputImage() *imageflowv1.ImageData
	GetExecutionId() string
	GetVariant() string
}

// Response has the field that the responses of all processors have in common.
type Response interface {
	proto.Message
	GetResult() *imageflowv1.ProcessingResult
}

// Input is one image and what its processing needs besides the request.
type Input struct {
	// Image has passed the header checks. Its pixels are decoded on demand.
	Image *imaging.Image
	// Format is the format of the output.
	Format imaging.Format
	// Reference is the content of the object that Definition.Reference names;
	// nil when it names none.
	Reference []byte
	// Memo keeps a result of Footprint for Apply; nil keeps nothing. See Once.
	Memo *Memo
	// Watch measures one stage of the work; nil measures nothing. See Stage.
	Watch func(ctx context.Context, stage string) (within context.Context, end func())
}

// Memo keeps one result about an input.
type Memo struct {
	once  sync.Once
	value any
	err   error
}

// Once returns the result of work, and the same result to all later calls for the input. Without a
// Memo, each call does the work.
func Once[T any](in Input, work func() (T, error)) (T, error) {
	if in.Memo == nil {
		return work()
	}
	in.Memo.once.Do(func() { in.Memo.value, in.Memo.err = work() })
	value, _ := in.Memo.value.(T)
	return value, in.Memo.err
}

// Stage starts the measurement of one stage of a job: "decode", "infer" or
// "encode". The returned function ends it. Stages that a library fuses are omitted.
func (in Input) Stage(ctx context.Context, name string) (within context.Context, end func()) {
	if in.Watch == nil {
		return ctx, func() {}
	}
	return in.Watch(ctx, name)
}

// Pixels decodes the image, as a stage.
func (in Input) Pixels(ctx context.Context) (*imaging.Pixels, error) {
	within, end := in.Stage(ctx, "decode")
	defer end()
	return in.Image.Pixels(within)
}

// Raster decodes the image for filters of its colours, as a stage.
func (in Input) Raster(ctx context.Context) (imaging.Raster, error) {
	within, end := in.Stage(ctx, "decode")
	defer end()
	return in.Image.Raster(within, in.Format)
}

// Definition describes a processor by its own request and response types. New
// makes a Processor of it.
type Definition[Req Request, Resp Response] struct {
	processors.Info
	// Check returns an error for a request that passes the contract's rules and is
	// still invalid. It runs before anything is fetched; nil accepts every request.
	Check func(Req) error
	// Reference names an object that Apply needs besides the image, and the path of the
	// request's field that names it, for errors; nil, or a nil object, names none. Before has the
	// names of the outputs of the steps before the request.
	Reference func(r Req, before processors.Names) (object *imageflowv1.ImageData, field string)
	// Describes returns the images that the content of the reference describes, one of which the image of the
	// request must be. It returns none for content that names none, as side-cars of earlier versions. The default,
	// nil, means that references describe no images.
	Describes func(r Req, reference []byte) []*imageflowv1.ImageData
	// Identity names a further input of the result besides the request and the image,
	// such as the version of a model; nil means that there is none.
	Identity func(context.Context, Req) (string, error)
	// Moves reports whether Apply makes an animation of an Input.Image that Moves; nil means never.
	// reference is Input.Reference, or nil as long as it is not known.
	Moves func(r Req, reference []byte) bool
	// ReadsFrames reports whether Apply uses all selected frames also for an output that has one; nil
	// means never.
	ReadsFrames func(Req) bool
	// Footprint returns the maximum memory of Apply in bytes, without decoding anything.
	// The default, nil, covers a full decode, a change of the pixels and an encode. It may
	// return 0 for an input that Apply refuses.
	Footprint func(Req, Input) int64
	// Output returns the request's field by which the output takes more memory than the image, and the
	// output's size in pixels; "" means that the image takes more. The default, nil, means that it always
	// does. Errors about the memory name the field.
	Output func(Req, Input) (field string, size image.Point)
	// Apply does the work. The response has its metadata filled and
	// an empty, non-nil result, which the caller completes. Errors about the
	// input are of this package's kinds or imaging's; any other error is
	// internal. Apply is called concurrently.
	Apply func(context.Context, Req, Input) (imaging.Encoded, Resp, error)
	// Renditions makes several outputs of one image. The default, nil, means that a request has one output.
	Renditions *Renditions[Req, Resp]
	// KeepsPlaces means that each pixel of the output shows what the pixel of the image at the same place shows.
	KeepsPlaces bool
	// SideCar returns the message that is stored as JSON beside the output; nil
	// stores none.
	SideCar func(Resp) proto.Message
	// NameImages sets the image and the output that the side-car describes in the response. Source is nil if the
	// image is not in the store. Definitions with a SideCar have it.
	NameImages func(r Resp, source, output *imageflowv1.ImageData)
}
