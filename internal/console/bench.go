package console

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/queryparams"
	"imageflow.dev/internal/rules"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// maxBenchSteps is the contract's limit of a pipeline.
const maxBenchSteps = 16

// outputType is the parameter of a pipeline, and of the last step of a chain, that chooses the format of the last output.
const outputType = "output_image.content_type"

// bench is what somebody has chosen on the page of the same name. All of it is in the page's URL: the names of the steps
// as `step`, in their order, and the parameters of the second one as `2.target_width`.
type bench struct {
	Bucket, Key string
	// OutputType is the media type of the last output; empty means the format of the image.
	OutputType string
	// Name and Prefix belong to the Triggers: the start of their names, and of the keys of their uploads.
	Name, Prefix string
	Steps        []benchStep
}

// benchStep is a step with its parameters, by their names in the contract.
type benchStep struct {
	Processor  processors.Info
	Parameters url.Values
}

// problem is what is wrong with a parameter; the name is empty if it is about several.
type problem struct{ Parameter, Reason string }

func (p problem) String() string { return strings.TrimPrefix(p.Parameter+": "+p.Reason, ": ") }

// readBench reads the page's URL or its form, in which controls may be empty. It ignores steps that do not exist, and
// those above the limit.
func readBench(form url.Values) *bench {
	b := &bench{
		Bucket: form.Get("bucket"), Key: form.Get("key"), OutputType: form.Get(outputType), Name: form.Get("name"),
		Prefix: form.Get("prefix"),
	}
	for i, name := range form["step"] {
		p, ok := processors.Named(name)
		if !ok || len(b.Steps) == maxBenchSteps {
			continue
		}
		step := benchStep{p, url.Values{}}
		for name, values := range form {
			if parameter, isOwn := strings.CutPrefix(name, strconv.Itoa(i+1)+"."); isOwn {
				step.set(parameter, values)
			}
		}
		b.Steps = append(b.Steps, step)
	}
	return b
}

// set sets a parameter to the values of a control. Controls of lists and maps have one item in a line.
func (s benchStep) set(name string, values []string) {
	req := s.Processor.NewRequest()
	path := queryparams.Path(req, name)
	base, entry, isEntry := strings.Cut(name, "[")
	if len(path) == strings.Count(base, ".")+1 { // not the field of an item, whose key is in the name
		var names []string
		for _, f := range path {
			names = append(names, string(f.Name()))
		}
		base = strings.Join(names, ".")
		name = base
		if isEntry {
			name += "[" + entry
		}
	}
	isMap := path != nil && path[len(path)-1].IsMap() && !isEntry
	isList := path != nil && path[len(path)-1].IsList() && path[len(path)-1].Message() == nil
	for _, value := range values {
		lines := []string{value}
		if isMap || isList {
			lines = strings.Split(value, "\n")
		}
		for _, line := range lines {
			line = strings.TrimRight(line, "\r")
			if key, value, _ := strings.Cut(line, "="); isMap && line != "" {
				s.Parameters.Add(base+"["+key+"]", value)
			} else if line != "" {
				s.Parameters.Add(name, line)
			}
		}
	}
}

// query returns the choices by their names in the page's URL.
func (b *bench) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{
		"bucket": b.Bucket, "key": b.Key, outputType: b.OutputType, "name": b.Name, "prefix": b.Prefix,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for i, step := range b.Steps {
		q.Add("step", step.Processor.Name)
		for name, values := range step.Parameters {
			q[strconv.Itoa(i+1)+"."+name] = values
		}
	}
	return q
}

// Query returns the choices as the query of a URL.
func (b *bench) Query() string { return b.query().Encode() }

// URL returns the page with the choices.
func (b *bench) URL() string { return "/bench?" + b.Query() }

// ImageURL returns the address to which an image for these steps is sent.
func (b *bench) ImageURL() string { return "/bench/image?" + b.Query() }

// change adds, removes or moves a step: add-resize, remove-2, up-2, down-2. It does nothing for another text.
func (b *bench) change(action string) {
	verb, what, _ := strings.Cut(action, "-")
	if p, ok := processors.Named(what); verb == "add" && ok && len(b.Steps) < maxBenchSteps {
		b.Steps = append(b.Steps, benchStep{p, url.Values{}})
	}
	n, err := strconv.Atoi(what)
	at := n - 1
	if err != nil || at < 0 || at >= len(b.Steps) {
		return
	}
	switch {
	case verb == "remove":
		b.Steps = slices.Delete(b.Steps, at, at+1)
	case verb == "up" && at > 0:
		b.Steps[at-1], b.Steps[at] = b.Steps[at], b.Steps[at-1]
	case verb == "down" && at+1 < len(b.Steps):
		b.Steps[at+1], b.Steps[at] = b.Steps[at], b.Steps[at+1]
	}
}

// newStep returns a step of a pipeline and the request in it, which is empty.
func newStep(p processors.Info) (*imageflowv1.PipelineStep, proto.Message) {
	step := &imageflowv1.PipelineStep{}
	m := step.ProtoReflect()
	return step, m.Mutable(m.Descriptor().Fields().ByName(protoreflect.Name(p.Name))).Message().Interface()
}

// read returns the step of a pipeline, with what the contract has against its parameters.
func (s benchStep) read() (*imageflowv1.PipelineStep, []problem) {
	step, req := newStep(s.Processor)
	for _, name := range slices.Sorted(maps.Keys(s.Parameters)) {
		path := queryparams.Path(req, name)
		if path != nil && slices.Contains(setByPipeline, path[0].Name()) {
			return step, []problem{{name, "the bench sets it"}}
		}
	}
	var bad *queryparams.Error
	if err := queryparams.Read(req, s.Parameters); errors.As(err, &bad) {
		return step, []problem{problemOf(bad, s.Parameters)}
	} else if err != nil {
		return step, []problem{{"", err.Error()}}
	}
	if s.Parameters.Has("preset") {
		return step, nil // only the gateway knows what it has
	}
	probe := proto.Clone(req).ProtoReflect()
	probe.Set(probe.Descriptor().Fields().ByName("input_bytes"), protoreflect.ValueOfBytes([]byte("any")))
	var invalid *protovalidate.ValidationError
	if err := protovalidate.Validate(probe.Interface()); errors.As(err, &invalid) {
		return step, problemsOf(invalid)
	}
	return step, nil
}

// problemOf returns the problem of a parameter. An error in the JSON of a parameter has a path that begins with its name.
func problemOf(bad *queryparams.Error, parameters url.Values) problem {
	if end := strings.IndexAny(bad.Name, ".["); end > 0 && parameters.Has(bad.Name[:end]) {
		return problem{bad.Name[:end], bad.Error()}
	}
	return problem{bad.Name, bad.Reason}
}

// problemsOf returns the violated rules. The messages of rules about several fields begin with the name of one.
func problemsOf(invalid *protovalidate.ValidationError) (found []problem) {
	for _, v := range invalid.Violations {
		p := problem{protovalidate.FieldPathString(v.Proto.GetField()), rules.Message(v)}
		if name, reason, ok := strings.Cut(p.Reason, ": "); ok && p.Parameter == "" && !strings.Contains(name, " ") {
			p = problem{name, reason}
		}
		found = append(found, p)
	}
	return found
}

// request returns the call that runs the steps on the image, and whether the contract permits all of them.
func (b *bench) request(executionID string) (req *imageflowv1.RunPipelineRequest, ok bool) {
	req = &imageflowv1.RunPipelineRequest{
		InputImage: &imageflowv1.ImageData{Bucket: b.Bucket, ObjectKey: b.Key}, ExecutionId: executionID,
	}
	if b.OutputType != "" {
		req.OutputImage = &imageflowv1.ImageData{ContentType: b.OutputType}
	}
	ok = len(b.Steps) > 0 && b.Key != ""
	for _, s := range b.Steps {
		step, problems := s.read()
		req.Steps = append(req.Steps, step)
		ok = ok && len(problems) == 0
	}
	return req, ok
}

// benchForm reads the choices of a request.
func (s *Console) benchForm(form url.Values) *bench {
	b := readBench(form)
	b.Bucket = cmp.Or(b.Bucket, s.config.Bucket)
	return b
}

// editBench takes the page's form: it runs the steps, or redirects to the page with the choices in its URL.
func (s *Console) editBench(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, http.StatusBadRequest, fmt.Sprintf("The form cannot be read, or has more than %s.", byteCount(maxFormBytes)))
		return
	}
	b, action := s.benchForm(r.PostForm), r.PostForm.Get("do")
	if action == "run" {
		s.runBench(w, r, b)
		return
	}
	b.change(action)
	http.Redirect(w, r, b.URL(), http.StatusSeeOther)
}

// benchImage stores an image of the person, as an upload on the first page, and shows the page for it.
func (s *Console) benchImage(w http.ResponseWriter, r *http.Request) {
	b := s.benchForm(r.URL.Query())
	name, data, err := s.uploaded(w, r)
	if err != nil {
		s.showBench(w, r, uploadStatus(err), b, benchNews{Failed: err.Error()})
		return
	}
	info, err := s.storeUpload(r.Context(), name, data)
	if err != nil {
		s.showBench(w, r, http.StatusServiceUnavailable, b, benchNews{Failed: "the image could not be stored"})
		return
	}
	b.Bucket, b.Key = info.Bucket, info.Key
	http.Redirect(w, r, b.URL(), http.StatusSeeOther)
}
