package job

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"path"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"imageflow.dev/functions"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/objects"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// written is what lies where a job writes; without an ETag, nothing does.
type written struct{ output, sideCar objects.Info }

// glance is what was seen in the places of a picture and its side-car.
type glance struct {
	output, sideCar location
	found           written
	err             error
}

// peek begins to look at where the job will write if the picture is of the format
// that its key says, so that this takes no time of its own beside the fetch.
func (t *task) peek(ctx context.Context) <-chan glance {
	guess := t.plan
	format, known := imaging.FormatOf(path.Ext(guess.source.key))
	if !known || guess.settle(format, t.processor.SideCar != nil) != nil {
		return unseen()
	}
	seen := make(chan glance, 1)
	go func() { seen <- t.glance(ctx, guess) }()
	return seen
}

// unseen is a look at nothing that is of use.
func unseen() <-chan glance {
	seen := make(chan glance, 1)
	seen <- glance{}
	return seen
}

func (t *task) glance(ctx context.Context, p plan) glance {
	g := glance{output: p.output, sideCar: p.sideCar}
	var both errgroup.Group
	both.Go(func() (err error) { g.found.output, err = t.stat(ctx, p.output); return err })
	both.Go(func() (err error) { g.found.sideCar, err = t.stat(ctx, p.sideCar); return err })
	g.err = both.Wait()
	return g
}

// look finds what lies where the job will write, by what peek saw where that was
// the right place. Where something does lie there, it asks again whether the
// source is still the version that was fetched: what a job of a newer version
// wrote can only be there when the source has been replaced before.
func (t *task) look(ctx context.Context, seen <-chan glance) error {
	if t.output.key == "" {
		return nil
	}
	defer t.watch.Stage("fetch")()
	g := <-seen
	if g.output != t.output || g.sideCar != t.sideCar {
		g = t.glance(ctx, t.plan)
	}
	if g.err != nil {
		return g.err
	}
	t.found = g.found
	if err := cmp.Or(t.protect(t.found.output), t.protect(t.found.sideCar)); err != nil {
		return err
	}
	if nothing := t.found.output.ETag+t.found.sideCar.ETag == ""; nothing || t.isDone() {
		return nil
	}
	return t.current(ctx)
}

// stat returns what is known of an object, and nothing of one that is not there.
func (t *task) stat(ctx context.Context, at location) (objects.Info, error) {
	if at.key == "" {
		return objects.Info{}, nil
	}
	info, err := t.store.Stat(ctx, at.bucket, at.key)
	if errors.Is(err, objects.ErrNotFound) {
		return objects.Info{}, nil
	}
	return info, explain(err, "output_image", at, "")
}

// current fails with ErrSuperseded when the source is no longer the version that
// was fetched.
func (t *task) current(ctx context.Context) error {
	if t.source.key == "" {
		return nil
	}
	info, err := t.store.Stat(ctx, t.source.bucket, t.source.key)
	if err == nil && info.ETag != t.etag {
		err = errors.Join(ErrSuperseded, objects.ErrChanged)
	}
	return explain(err, "input_image", t.source, "")
}

// newMarks returns the metadata by which the outputs of equal jobs are known.
func (t *task) newMarks(ctx context.Context) (map[string]string, error) {
	from := t.etag
	if t.source.key == "" {
		from = digest(t.encoded)
	}
	variant := ""
	if t.processor.Variant != nil {
		var err error
		if variant, err = t.processor.Variant(ctx, t.req); err != nil {
			return nil, err
		}
	}
	settings, err := proto.MarshalOptions{Deterministic: true}.Marshal(t.settings())
	return map[string]string{
		execution.IDMetadata: t.execution, execution.StepMetadata: t.processor.Name, execution.SourceMetadata: from,
		execution.RequestMetadata: digest(settings, []byte(t.format), []byte(variant), t.referred),
	}, err
}

// settings returns the part of the request that decides what the output looks
// like.
func (t *task) settings() proto.Message {
	settings := t.processor.NewRequest().ProtoReflect()
	t.req.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch field.Name() {
		case "input_image", "input_bytes", "output_image", "execution_id", "resize_metadata_ref":
		default:
			settings.Set(field, value)
		}
		return true
	})
	return settings.Interface()
}

// digest hashes parts such that what one ends with cannot begin the next.
func digest(parts ...[]byte) string {
	hash := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(hash, "%d\n%s", len(part), part)
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}

// alike tells whether a job with these marks wrote the object.
func alike(o objects.Info, marks map[string]string) bool {
	for key, value := range marks {
		if o.Metadata[key] != value {
			return false
		}
	}
	return o.ETag != "" && execution.WrittenByUs(o)
}

// isDone tells whether an equal job has written its outputs.
func (t *task) isDone() bool {
	return alike(t.found.output, t.marks) && (t.sideCar.key == "" || alike(t.found.sideCar, t.marks))
}

// maxFacts leaves room for a long execution id in S3's 2 KiB of metadata.
const maxFacts = 512

// facts writes what the response tells besides its result, for a later recall;
// it is empty where that is too long, and lies in the side-car then.
func facts(resp functions.Response) (string, error) {
	c := proto.Clone(resp).(functions.Response)
	proto.Reset(c.GetResult())
	text, err := proto.Marshal(c)
	if base64.StdEncoding.EncodedLen(len(text)) > maxFacts {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(text), err
}

// recall answers with what an equal job has written. Where there was none, or its
// facts cannot be read, it reports false.
func (t *task) recall(ctx context.Context) (resp functions.Response, ok bool) {
	if t.output.key == "" || !t.isDone() {
		return resp, false
	}
	resp = t.processor.NewResponse(&imageflowv1.ProcessingResult{})
	from := t.found.output
	width, height := execution.Size(from)
	if err := t.readFacts(ctx, resp); err != nil || resp.GetResult() == nil || width < 1 {
		return resp, false
	}
	proto.Reset(resp.GetResult())
	t.describe(resp.GetResult(), &imageflowv1.ImageData{
		ContentType: from.ContentType, SizeBytes: from.Size, Width: int32(width), Height: int32(height),
		Etag: from.ETag, CreatedAt: timestamppb.New(from.Modified),
	})
	return resp, true
}

func (t *task) readFacts(ctx context.Context, resp functions.Response) error {
	if text := t.found.output.Metadata[execution.FactsMetadata]; text != "" {
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return err
		}
		return proto.Unmarshal(data, resp)
	}
	data, _, err := t.store.Get(ctx, t.sideCar.bucket, t.sideCar.key, t.found.sideCar.ETag, maxSideCarBytes)
	if err != nil {
		return err
	}
	return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, resp)
}
