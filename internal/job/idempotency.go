package job

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/functions"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/objects"
)

// idempotencyKey identifies equal jobs. Jobs with equal keys write equal outputs. The
// key is stored in the metadata of the outputs.
type idempotencyKey struct {
	execution string
	step      string
	source    string // the source's ETag, or a digest of input_bytes
	origin    string // the ETag of the upload that the source was made from; empty if it is not known
	request   string // a digest of everything else that decides the output
}

// newIdempotencyKey returns the key of a job. Identity is the processor's.
func newIdempotencyKey(processor functions.Processor, p *resolvedPlan, identity string) (idempotencyKey, error) {
	from := p.input.source.ETag
	if p.source.key == "" {
		from = digest(p.input.image)
	}
	settings, err := proto.MarshalOptions{Deterministic: true}.Marshal(settingsOf(processor, p.request))
	return idempotencyKey{
		execution: p.names.Execution, step: processor.Name, source: from, origin: p.origin(),
		request: digest(append([][]byte{settings, []byte(p.format), []byte(identity), p.input.reference}, p.selection()...)...),
	}, err
}

// origin returns the ETag of the upload that the source was made from: that of the source, unless a step
// of the execution wrote it.
func (p *resolvedPlan) origin() string {
	if source := p.input.source; execution.IsOutput(source, p.names.Execution) {
		return source.Metadata[execution.OriginMetadata]
	}
	return p.input.source.ETag
}

// selection returns the frames that the request selects and those that the output has, for the
// digest. It has no parts for requests that select none and have a still output, whose digest is that
// of earlier versions.
func (p *resolvedPlan) selection() [][]byte {
	if p.frames == (imaging.Selection{}) && p.image.SelectedFrames() == 1 {
		return nil
	}
	return [][]byte{fmt.Append(nil, p.frames, p.image.SelectedFrames())}
}

// settingsOf returns the part of a request that decides the content of the output.
func settingsOf(processor functions.Processor, req functions.Request) proto.Message {
	settings := processor.NewRequest().ProtoReflect()
	req.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch field.Name() {
		case "input_image", "input_bytes", "output_image", "execution_id", "resize_metadata_ref":
		default:
			settings.Set(field, value)
		}
		return true
	})
	return settings.Interface()
}

// digest hashes the parts. Each part is hashed with its length, so that moving bytes
// between parts changes the digest.
func digest(parts ...[]byte) string {
	hash := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(hash, "%d\n", len(part))
		for piece := range slices.Chunk(part, 1<<20) { // a Write cannot be preempted
			hash.Write(piece)
		}
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}

// metadata returns the key as object metadata.
func (k idempotencyKey) metadata() map[string]string {
	m := map[string]string{
		execution.IDMetadata: k.execution, execution.StepMetadata: k.step,
		execution.SourceMetadata: k.source, execution.RequestMetadata: k.request,
	}
	if k.origin != "" {
		m[execution.OriginMetadata] = k.origin
	}
	return m
}

// matches reports whether a job with this key wrote the object. Outputs of earlier versions have no origin.
func (k idempotencyKey) matches(o objects.Info) bool {
	origin, ok := o.Metadata[execution.OriginMetadata]
	if !ok {
		origin = k.origin
	}
	return o.ETag != "" && execution.WrittenByUs(o) && k == idempotencyKey{
		execution: o.Metadata[execution.IDMetadata], step: o.Metadata[execution.StepMetadata],
		source: o.Metadata[execution.SourceMetadata], origin: origin, request: o.Metadata[execution.RequestMetadata],
	}
}

// maxResponseMetadata limits the encoded response in bytes. It leaves space for a long
// execution id in S3's 2 KiB of metadata per object.
const maxResponseMetadata = 512

// encodeResponse encodes a response, except its result, as object metadata, from which
// an equal job can restore it. It returns "" if the response is too large. Then the
// side-car has it.
func encodeResponse(resp functions.Response) (string, error) {
	c := proto.Clone(resp).(functions.Response)
	proto.Reset(c.GetResult())
	text, err := proto.Marshal(c)
	if base64.StdEncoding.EncodedLen(len(text)) > maxResponseMetadata {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(text), err
}

// decodeResponse decodes the text of encodeResponse into resp.
func decodeResponse(text string, resp functions.Response) error {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	return proto.Unmarshal(data, resp)
}
