package job

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"path"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/objects"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// outputs are the objects that a job writes: the image and its side-car. It does not
// change.
type outputs struct {
	store     *objects.Store
	processor functions.Processor
	plan      *resolvedPlan
	key       idempotencyKey
}

// written describes the objects at the locations of the outputs, and the crops that were written. An
// object without an ETag does not exist.
type written struct {
	output, sideCar objects.Info
	crops           []objects.Info
}

// outputStats is the result of statOutputs.
type outputStats struct {
	targets targets
	written written
	err     error
}

// stored reports whether the outputs are stored as objects. Otherwise the image is
// returned in the response.
func (o *outputs) stored() bool { return o.plan.targets.output.key != "" }

// prefetchOutputs starts statOutputs, so that it runs while the input is fetched. It
// assumes that the image has the format of its key's extension, and that a GIF moves. It returns nil if the
// extension is unknown or the job writes nothing.
func prefetchOutputs(ctx context.Context, store *objects.Store, p plan) <-chan outputStats {
	format, known := imaging.FormatOf(path.Ext(p.source.key))
	if !known {
		return nil
	}
	_, targets, err := p.resolve(format, p.moves)
	if err != nil || targets.output.key == "" {
		return nil
	}
	stats := make(chan outputStats, 1)
	go func() { stats <- statOutputs(ctx, store, targets) }()
	return stats
}

// statOutputs returns the objects at the targets. If there is no image, it does not look
// for the side-car: the first write finds out whether there is one.
func statOutputs(ctx context.Context, store *objects.Store, t targets) outputStats {
	s := outputStats{targets: t}
	if s.written.output, s.err = stat(ctx, store, t.output); s.written.output.ETag != "" {
		s.written.sideCar, s.err = stat(ctx, store, t.sideCar)
	}
	return s
}

// stat returns the description of an object, without an ETag if it does not exist.
func stat(ctx context.Context, store *objects.Store, at location) (objects.Info, error) {
	if at.key == "" {
		return objects.Info{}, nil
	}
	info, err := store.Stat(ctx, at.bucket, at.key)
	if errors.Is(err, objects.ErrNotFound) {
		return objects.Info{}, nil
	}
	return info, explain(err, "output_image", at, "")
}

// lookup returns the existing objects at the locations of the outputs. It uses the
// prefetched ones if they are for these locations. It returns an error if the job may
// not replace them.
func (o *outputs) lookup(ctx context.Context, prefetched <-chan outputStats) (written, error) {
	var s outputStats
	if prefetched != nil {
		s = <-prefetched
	}
	if s.targets != o.plan.targets {
		s = statOutputs(ctx, o.store, o.plan.targets)
	}
	if s.err != nil {
		return written{}, s.err
	}
	existing := s.written
	return existing, cmp.Or(o.plan.checkReplaceable(existing.output), o.plan.checkReplaceable(existing.sideCar))
}

// match reports whether an equal job has written the outputs.
func (o *outputs) match(existing written) bool {
	return o.key.matches(existing.output) && (o.plan.targets.sideCar.key == "" || o.key.matches(existing.sideCar))
}

// source returns the job's source, in the version that was fetched.
func (o *outputs) source() source { return source{o.store, o.plan.source, o.plan.input.source.ETag} }

// cachedResponse returns the response of the equal job that wrote the existing objects.
// It returns false if there was none or its response cannot be read.
func (o *outputs) cachedResponse(ctx context.Context, existing written) (functions.Response, bool) {
	if !o.stored() || !o.match(existing) {
		return nil, false
	}
	width, height := execution.Size(existing.output)
	resp, err := o.readResponse(ctx, existing)
	if err != nil || resp.GetResult() == nil || width < 1 || !o.hasCrops(ctx, resp) {
		return nil, false
	}
	proto.Reset(resp.GetResult())
	o.plan.describe(resp.GetResult(), describeStored(existing.output, width, height), execution.Frames(existing.output))
	describeFit(resp.GetResult(), existing.output.Metadata[execution.QualityMetadata], existing.output.Size)
	o.nameImages(resp, existing.output)
	return resp, true
}

// readResponse reads the response of an equal job, with an empty result, from the
// metadata of its output or from its side-car.
func (o *outputs) readResponse(ctx context.Context, existing written) (functions.Response, error) {
	resp := o.processor.NewResponse(&imageflowv1.ProcessingResult{})
	if text := existing.output.Metadata[execution.ResponseMetadata]; text != "" {
		return resp, decodeResponse(text, resp)
	}
	at := o.plan.targets.sideCar
	data, _, err := o.store.Get(ctx, at.bucket, at.key, existing.sideCar.ETag, maxSideCarBytes)
	if err != nil {
		return nil, err
	}
	return resp, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, resp)
}

// writeAll writes the crops, the image, and then the side-car, which names the image: together these show that all
// is there. If one of new objects cannot have its name, it removes the others. Before it replaces objects, it checks that the
// source is still the version that was fetched. A check at the start of the job would not do: where a source changes and
// changes back meanwhile, the job of the second change finds the objects as it wants them and leaves their ETag.
func (o *outputs) writeAll(
	ctx context.Context, existing written, out imaging.Encoded, resp functions.Response, elapsed func() time.Duration,
) (w written, err error) {
	defer func() {
		if err != nil && functions.AsError(err).Kind == functions.Invalid && existing.output.ETag == "" {
			o.remove(context.WithoutCancel(ctx), w)
		}
	}()
	if existing.output.ETag+existing.sideCar.ETag != "" {
		if err = o.source().checkUnchanged(ctx); err != nil {
			return w, err
		}
	}
	if w.crops, err = o.writeCrops(ctx, resp); err != nil {
		return w, err
	}
	encoded, err := encodeResponse(resp)
	if err != nil {
		return w, err
	}
	metadata := imageMetadata(out, encoded, elapsed())
	maps.Copy(metadata, o.viewMetadata())
	maps.Copy(metadata, o.lineageMetadata())
	w.output, err = o.write(ctx, o.plan.targets.output, out.Format.MediaType(), out.Data, metadata, existing.output)
	if err == nil && o.plan.targets.sideCar.key != "" {
		o.nameImages(resp, w.output)
		w.sideCar, err = o.writeSideCar(ctx, resp, w.output, existing.sideCar)
	}
	return w, err
}

// lineageMetadata returns the metadata by which the other outputs of the execution are found.
func (o *outputs) lineageMetadata() map[string]string {
	m := map[string]string{}
	source := o.plan.input.source
	end, ok := strings.CutPrefix(source.Key, o.plan.names.Execution)
	if ok && source.Bucket == o.plan.targets.output.bucket && execution.IsOutput(source, o.plan.names.Execution) {
		m[execution.InputMetadata] = end
	}
	if o.plan.count > 1 {
		m[execution.OutputsMetadata] = strconv.Itoa(o.plan.count)
	}
	return m
}

// writeSideCar writes the side-car of an output.
func (o *outputs) writeSideCar(
	ctx context.Context, resp functions.Response, output, existing objects.Info,
) (objects.Info, error) {
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(o.processor.SideCar(resp))
	if err != nil {
		return objects.Info{}, err
	}
	return o.write(ctx, o.plan.targets.sideCar, "application/json", text, o.sideCarMetadata(output), existing)
}

// imageMetadata returns the metadata of an image besides the idempotency key.
func imageMetadata(out imaging.Encoded, response string, elapsed time.Duration) map[string]string {
	m := map[string]string{
		execution.WidthMetadata: strconv.Itoa(out.Width), execution.HeightMetadata: strconv.Itoa(out.Height),
		execution.ResponseMetadata: response,
		execution.SecondsMetadata:  strconv.FormatFloat(elapsed.Seconds(), 'f', 3, 64),
	}
	if out.Frames > 0 {
		m[execution.FramesMetadata] = strconv.Itoa(out.Frames)
	}
	if quality := fitQuality(out); quality != "" {
		m[execution.QualityMetadata] = quality
	}
	return m
}

// maxWriteTries bounds how often a job tries to write an output that others overwrite.
const maxWriteTries = 10

// write writes an object with the idempotency key and more metadata. It replaces only
// the existing version, so it never replaces an object that the job does not own, and a
// slow job of an old version never overwrites the output of a newer version. If an
// equal job was faster, its object is as good. write returns the object at the end, or
// none after an error.
func (o *outputs) write(
	ctx context.Context, at location, contentType string, data []byte, more map[string]string, existing objects.Info,
) (objects.Info, error) {
	metadata := execution.ObjectMetadata(o.plan.names.Execution, at.bucket, at.key)
	maps.Copy(metadata, o.key.metadata())
	if o.plan.names.Variant != "" {
		metadata[execution.VariantMetadata] = o.plan.names.Variant
	}
	maps.Copy(metadata, more)
	for range maxWriteTries {
		info, err := o.store.PutOver(ctx, existing.ETag, at.bucket, at.key, contentType, data, metadata)
		if !errors.Is(err, objects.ErrChanged) {
			return info, explain(err, "output_image", at, "")
		}
		if existing, err = stat(ctx, o.store, at); err != nil || o.key.matches(existing) {
			return existing, err
		}
		if err := cmp.Or(o.plan.checkReplaceable(existing), o.source().checkUnchanged(ctx)); err != nil {
			return objects.Info{}, err
		}
	}
	return objects.Info{}, functions.Errorf(functions.Unavailable, "",
		"the output was overwritten by others %d times; try again", maxWriteTries)
}

// withdrawn returns the error of a job that has removed its outputs because its source was deleted. If the source
// exists again, the error is Unavailable, so that the job is repeated.
func (o *outputs) withdrawn(ctx context.Context, deleted error) error {
	if o.source().checkExists(context.WithoutCancel(ctx)) == nil {
		return functions.Errorf(functions.Unavailable, "", "the input image was deleted and uploaded again; try again")
	}
	return deleted
}

// remove removes what the job has written. Objects that others have written there since
// are kept.
func (o *outputs) remove(ctx context.Context, w written) {
	for _, info := range append(w.crops, w.output, w.sideCar) {
		if info.ETag == "" {
			continue // nothing was written
		}
		err := o.store.RemoveVersion(ctx, info.Bucket, info.Key, info.ETag)
		if err != nil && !errors.Is(err, objects.ErrChanged) && !errors.Is(err, objects.ErrNotFound) {
			slog.WarnContext(ctx, "output of a failed job could not be removed",
				"bucket", info.Bucket, "key", info.Key, "error", err)
		}
	}
}
