package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"mime"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// picture is the output of a resize of one version of an object.
type picture struct {
	source     objects.Info
	request    *imageflowv1.ResizeRequest
	negotiated bool   // the Accept header decides the format
	key        string // of the output
}

// picture returns the image that a request without an input makes of an object.
func (i *Images) picture(
	ctx context.Context, key string, req *imageflowv1.ResizeRequest, accepted []string,
) (*picture, error) {
	source, err := i.Store.Stat(ctx, i.Bucket, key)
	if err != nil {
		return nil, explainStore(ctx, err, objects.Info{Bucket: i.Bucket, Key: key})
	}
	p := &picture{source: source, request: proto.CloneOf(req)}
	out := &imageflowv1.ImageData{ContentType: req.GetOutputImage().GetContentType()}
	p.request.OutputImage = out
	formats, err := i.knownFormats(ctx)
	if err != nil {
		return nil, err
	}
	p.negotiated = out.ContentType == ""
	switch {
	case p.negotiated:
		offered := slices.DeleteFunc(slices.Clone(i.Formats), func(name string) bool { return !slices.Contains(accepted, name) })
		out.ContentType = choose(formats, offered, p)
	case !formats[out.ContentType].GetWrite(): // nor another spelling, since the key of the output follows from it
		return nil, invalid("output_image.content_type", fmt.Sprintf("%.64q is none of %s", out.ContentType, writable(formats)))
	}
	if p.request.Variant, err = execution.ViewVariant(p.request); err != nil {
		return nil, err
	}
	p.request.InputImage = &imageflowv1.ImageData{Bucket: source.Bucket, ObjectKey: source.Key, Etag: source.ETag}
	names := processors.Names{Execution: execution.ID(source.Key), Variant: p.request.Variant}
	resize, _ := processors.Named(resizeStep)
	p.key = names.Key(resize) + extension(out.ContentType, "")
	if !execution.SegmentsFit(p.key) {
		return nil, invalid("key", fmt.Sprintf("the name of the output %.64q… would have more than %d bytes between two slashes; "+
			"store the image under a shorter key", p.key, execution.MaxSegmentBytes))
	}
	return p, nil
}

const resizeStep = "resize"

// webFormats are the formats of sources that are kept if the caller accepts none that is offered.
var webFormats = []string{"image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"}

// choose returns the first of the offered formats, else the source's, else another one of the web, that is written with
// all options of the request. If the source's format may be an animation, so must the output's.
func choose(formats map[string]*imageflowv1.ImageFormat, offered []string, p *picture) string {
	own := typeOf(formats, p.source)
	moves := formats[own].GetWriteAnimated()
	candidates := slices.Clone(offered)
	if slices.Contains(webFormats, own) {
		candidates = append(candidates, own)
	}
	candidates = append(candidates, webFormats...)
	for _, name := range candidates {
		format := formats[name]
		if format.GetWrite() && (format.GetWriteAnimated() || !moves) && hasOptions(format, p.request.GetEncoding()) {
			return name
		}
	}
	return "image/jpeg"
}

// writable lists the media types that can be written.
func writable(formats map[string]*imageflowv1.ImageFormat) string {
	names := slices.Sorted(maps.Keys(formats))
	return strings.Join(slices.DeleteFunc(names, func(name string) bool { return !formats[name].GetWrite() }), ", ")
}

// typeOf returns the media type of an object by its metadata, or else by its key.
func typeOf(formats map[string]*imageflowv1.ImageFormat, info objects.Info) string {
	name, _, _ := mime.ParseMediaType(info.ContentType)
	if formats[name] != nil {
		return name
	}
	ending := strings.ToLower(strings.TrimPrefix(path.Ext(info.Key), "."))
	for name, format := range formats {
		if slices.Contains(format.GetExtensions(), ending) {
			return name
		}
	}
	return ""
}

// hasOptions reports whether the encoder of a format has all options of an encoding that not all encoders have.
func hasOptions(format *imageflowv1.ImageFormat, encoding *imageflowv1.Encoding) bool {
	all := true
	encoding.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		all = slices.Contains(format.GetOptions(), string(field.Name()))
		return all
	})
	return all
}

// knownFormats returns the formats of the resize by their media types. It asks until there is an answer.
func (i *Images) knownFormats(ctx context.Context) (map[string]*imageflowv1.ImageFormat, error) {
	if known := i.formats.Load(); known != nil {
		return *known, nil
	}
	known := map[string]*imageflowv1.ImageFormat{}
	_, err := i.share(ctx, "formats", func(ctx context.Context) (objects.Info, error) {
		client := imageflowv1.NewImageServiceClient(i.Processors[resizeStep])
		list, err := client.ListFormats(ctx, &imageflowv1.ListFormatsRequest{})
		for _, format := range list.GetFormats() {
			known[format.GetContentType()] = format
		}
		if err == nil {
			i.formats.Store(&known)
		}
		return objects.Info{}, err
	})
	if err != nil {
		return nil, err
	}
	return *i.formats.Load(), nil
}

// notInURLs are the fields of a resize that neither a URL nor the preset in it may have, since the URL decides what is
// read and the gateway what is written.
var notInURLs = []protoreflect.Name{"input_image", "input_bytes", "execution_id", "variant", "renditions"}

// checkOptions returns an error if a request has a field that URLs may not have.
func checkOptions(req *imageflowv1.ResizeRequest) (err error) {
	out := req.GetOutputImage()
	if out != nil && !proto.Equal(out, &imageflowv1.ImageData{ContentType: out.GetContentType()}) {
		return invalid("output_image", "a URL may have only its content_type")
	}
	if out.GetContentType() == autoType {
		return invalid("output_image.content_type", "without it, the Accept header chooses the format; auto is not for URLs")
	}
	req.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if slices.Contains(notInURLs, field.Name()) {
			err = invalid(string(field.Name()), "not allowed in the URL of an image, nor in its preset")
		}
		return err == nil
	})
	return err
}

// obtain returns the stored output of a picture. It is rendered if there is none of this version of the source.
func (i *Images) obtain(ctx context.Context, p *picture) (info objects.Info, rendered bool, err error) {
	info, err = i.Store.Stat(ctx, p.source.Bucket, p.key)
	switch {
	case err == nil && p.isStored(info):
		return info, false, nil
	case err != nil && !errors.Is(err, objects.ErrNotFound):
		return info, false, explainStore(ctx, err, objects.Info{Bucket: p.source.Bucket, Key: p.key})
	}
	var mine atomic.Bool // and not of another request, for which this one waits
	info, err = i.render(ctx, p, &mine)
	return info, err == nil && mine.Load(), err
}

// isStored reports whether an object is the output of a picture.
func (p *picture) isStored(info objects.Info) bool {
	return execution.IsOutput(info, execution.ID(p.source.Key)) && info.Metadata[execution.SourceMetadata] == p.source.ETag &&
		info.Metadata[execution.VariantMetadata] == p.request.GetVariant() &&
		info.ContentType == p.request.GetOutputImage().GetContentType()
}

// errManyRenders refuses a render beyond the budget.
var errManyRenders = withDetail(
	status.New(codes.ResourceExhausted, "as many images as MAX_IMAGE_RENDERS are being rendered; try again shortly"),
	&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)})

// render resizes the source and returns the output. Equal renders at the same time are one, of which the first sets mine.
func (i *Images) render(ctx context.Context, p *picture, mine *atomic.Bool) (objects.Info, error) {
	return i.share(ctx, p.source.ETag+" "+p.key, func(ctx context.Context) (objects.Info, error) {
		mine.Store(true)
		if !i.Budget.TryAcquire(1) {
			return objects.Info{}, errManyRenders
		}
		defer i.Budget.Release(1)
		if err := i.Processors.call(ctx, resizeStep, p.request, &imageflowv1.ResizeResponse{}); err != nil {
			return objects.Info{}, err
		}
		info, err := i.Store.Stat(ctx, p.source.Bucket, p.key)
		if err == nil && !p.isStored(info) {
			err = objects.ErrChanged
		}
		return info, explainStore(ctx, err, objects.Info{Bucket: p.source.Bucket, Key: p.key})
	})
}

// share calls do once for all who want the same at the same time. It goes on within the timeout if they leave.
func (i *Images) share(
	ctx context.Context, name string, do func(context.Context) (objects.Info, error),
) (objects.Info, error) {
	done := i.shared.DoChan(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), i.Timeout)
		defer cancel()
		return do(ctx)
	})
	select {
	case <-ctx.Done():
		return objects.Info{}, status.FromContextError(ctx.Err()).Err()
	case result := <-done:
		return result.Val.(objects.Info), result.Err
	}
}
