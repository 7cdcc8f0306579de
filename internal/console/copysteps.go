package console

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/queryparams"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// benchVariant is the variant of what an event of the bench makes: the execution id of an event follows from the image.
const benchVariant = "bench"

// benchCopies returns the texts for a pipeline of the bench.
func (s *Console) benchCopies(r *http.Request, b *bench, req *imageflowv1.RunPipelineRequest) []copyText {
	name, _ := b.triggerNames()
	all := s.callCopies(r, name, "/v1/pipeline", req, req)
	chain, err := b.triggers()
	if err != nil {
		return all
	}
	first := b.Steps[0]
	parameters := maps.Clone(first.Parameters)
	if !parameters.Has("variant") {
		parameters.Set("variant", benchVariant)
	}
	if e, err := events.NewObjectFound(objects.Info{Bucket: b.Bucket, Key: b.Key, Modified: time.Now()}); err == nil {
		for _, c := range s.eventCopy(first.Processor.Host, stepURI(parameters), &e) {
			c.Note = "The first step, with a variant, so that it replaces no output of the chain. " + c.Note
			all = append(all, c)
		}
	}
	var documents []any
	for _, t := range chain {
		documents = append(documents, t)
	}
	all = append(all, knCopy(chain...))
	if text, err := yamlText(documents...); err == nil {
		all = append(all, copyText{"Trigger YAML", text, ""})
	}
	return all
}

// stepCopy are the texts for one step of an execution.
type stepCopy struct {
	Title string
	// Note says from where the parameters are known, or why they are not.
	Note   string
	Copies []copyText
}

// addCopies adds to the page of an execution the texts for each step, and the bench with its steps. Nothing stores the
// parameters of a step, so they are those of the Trigger that makes such an output now.
func (s *Console) addCopies(r *http.Request, page *executionPage) {
	x := page.Run
	if page.Bench = benchURL(x, nil); len(x.Steps) == 0 {
		return
	}
	list, err := s.config.Executions.ListChains(r.Context(), &imageflowv1.ListChainsRequest{})
	chains := list.GetChains()
	page.Bench = benchURL(x, chains)
	for _, step := range x.Steps {
		c := stepCopy{Title: step.Title()}
		found := makersOf(chains, x, step)
		switch {
		case err != nil:
			c.Note = "The parameters are those of a Trigger, and the gateway does not say which are in force: " + reasonOf(err)
		case len(found) == 0:
			c.Note = "No Trigger in force makes this output, so its parameters are not known: it is from a call, or the Triggers " +
				"have changed since."
		case len(found) > 1:
			c.Note = "Several Triggers in force make such an output, so its parameters are not known: " +
				found[0].node.GetTrigger() + ", " + found[1].node.GetTrigger()
		default:
			c.Note = "The parameters are those that the Trigger " + found[0].node.GetTrigger() + " has now. The calls write an " +
				"output of their own, below " + benchFolder + "; the event repeats the step."
			c.Copies = s.copiesOf(r, x, found[0])
		}
		page.Copies = append(page.Copies, c)
	}
}

// benchURL returns the bench with the upload of an execution, and the steps whose parameters are known.
func benchURL(x *run, chains []*imageflowv1.Chain) string {
	b := &bench{Bucket: x.Bucket, Key: x.Key}
	for _, step := range x.Steps {
		found := makersOf(chains, x, step)
		if len(found) != 1 || found[0].node.GetStep() != nil {
			continue
		}
		p, _ := processors.Named(step.Name)
		uri, err := url.Parse(found[0].node.GetUri())
		if err != nil {
			continue
		}
		parameters := uri.Query()
		for name := range parameters {
			if strings.HasPrefix(name, "output_image.") {
				parameters.Del(name) // the bench writes outputs of its own
			}
		}
		b.Steps = append(b.Steps, benchStep{p, parameters})
	}
	return b.URL()
}

// requests returns the call that runs the step of a node on an image, and the pipeline that does the same.
func (m maker) requests(input *imageflowv1.ImageData, id string) (proto.Message, *imageflowv1.RunPipelineRequest, error) {
	p, ok := processors.Named(m.node.GetProcessor())
	uri, err := url.Parse(m.node.GetUri())
	if err != nil || !ok {
		return nil, nil, errors.Join(err, fmt.Errorf("no processor %q", p.Name))
	}
	step, req := newStep(p)
	if m.node.GetStep() != nil {
		proto.Merge(step, m.node.GetStep())
	} else if err := queryparams.Read(req, uri.Query()); err != nil {
		return nil, nil, err
	}
	single := proto.Clone(req)
	fields, own := req.ProtoReflect().Descriptor().Fields(), single.ProtoReflect()
	pipeline := &imageflowv1.RunPipelineRequest{InputImage: input, ExecutionId: id, Steps: []*imageflowv1.PipelineStep{step}}
	if output := fields.ByName("output_image"); own.Has(output) { // with names of its own, but in the same format
		pipeline.OutputImage = &imageflowv1.ImageData{
			ContentType: own.Get(output).Message().Interface().(*imageflowv1.ImageData).GetContentType(),
		}
		own.Set(output, protoreflect.ValueOfMessage(pipeline.OutputImage.ProtoReflect()))
		req.ProtoReflect().Clear(output)
	}
	own.Set(fields.ByName("input_image"), protoreflect.ValueOfMessage(input.ProtoReflect()))
	own.Set(fields.ByName("execution_id"), protoreflect.ValueOfString(id))
	return single, pipeline, nil
}

// copiesOf returns the texts for the step of an execution that a Trigger makes.
func (s *Console) copiesOf(r *http.Request, x *run, m maker) []copyText {
	before, eventType, ok := m.before(x)
	if !ok {
		return nil
	}
	input := &imageflowv1.ImageData{Bucket: x.Bucket, ObjectKey: x.Key}
	if before != nil {
		input.ObjectKey = before.Output.GetObjectKey()
	}
	single, pipeline, err := m.requests(input, benchFolder+stemOf(x.Key))
	if err != nil {
		return nil
	}
	name := m.node.GetProcessor()
	all := s.callCopies(r, name, "/v1/"+name, single, pipeline)
	if e, err := causeOf(x, before); err == nil {
		all = append(all, s.eventCopy(m.node.GetSubscriber(), m.node.GetUri(), e)...)
	}
	t := m.trigger(eventType, x)
	const note = "Beside the Trigger in force, this would run the step twice: give it filters of its own. "
	kn := knCopy(t)
	kn.Note = note + kn.Note
	all = append(all, kn)
	if text, err := yamlText(t); err == nil {
		all = append(all, copyText{"Trigger YAML", text, note})
	}
	return all
}

// trigger returns a Trigger with the subscriber of the one in force, for the events of a type below the upload's folder.
func (m maker) trigger(eventType string, x *run) trigger {
	filter := triggerFilter{Exact: map[string]string{"type": eventType}}
	if strings.HasSuffix(eventType, ":") {
		filter = triggerFilter{Prefix: map[string]string{"type": eventType}}
	}
	filters := []triggerFilter{filter}
	prefix := m.source.GetPrefix()
	if folder, _, ok := strings.Cut(subjectPrefix(x.Key), "/"); ok && prefix == "" {
		prefix = folder + "/"
	}
	if prefix != "" {
		filters = append(filters, triggerFilter{Prefix: map[string]string{"subject": prefix}})
	}
	name := m.node.GetTrigger()
	about := "A copy of the Trigger " + name + ", from a page of ImageFlow's console."
	return newTrigger(name+"-copy", about, m.node.GetSubscriber(), m.node.GetUri(), filters...)
}

// causeOf returns the event that made a step run: the one of the upload, or of the step before.
func causeOf(x *run, before *runStep) (*cloudevent.Event, error) {
	e, err := events.NewObjectFound(objects.Info{Bucket: x.Bucket, Key: x.Key, ETag: x.ETag, Modified: x.Began})
	if err != nil || before == nil {
		return &e, err
	}
	result := &imageflowv1.ProcessingResult{
		Status: imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED, OutputImage: before.Output,
	}
	events.ExecutionID.Set(result, x.ID)
	if before.SideCar != "" {
		events.SideCar.Set(result, before.SideCar)
	}
	if before.Variant != "" {
		events.Variant.Set(result, before.Variant)
	}
	return events.NewStepCompleted(context.Background(), &e, before.Name, "", &imageflowv1.ResizeResponse{Result: result})
}
