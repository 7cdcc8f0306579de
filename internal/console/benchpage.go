package console

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"imageflow.dev/internal/execution"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// benchPage is the data of the page of the bench.
type benchPage struct {
	Bench *bench
	Steps []stepForm
	// Kinds are the names of the steps that can be added; none if there are as many as a pipeline may have.
	Kinds  []string
	Output control
	// Images are the image, its stored outputs, and those of a run.
	Images []runImage
	Result *benchResult
	// Recent are uploads that can be chosen, if no image is.
	Recent []recentImage
	// Note says that the texts of the contract are missing, and Failed why nothing was run.
	Note, Failed string
	// CanRun means that there is an image and that the contract permits all parameters.
	CanRun   bool
	Uploads  tryPage
	Triggers string // the URL of the Triggers
	Copies   []copyText
}

// stepForm are the controls of one step.
type stepForm struct {
	Number         int
	Name           string
	Groups         []controlGroup
	Problems       []string // about no control
	IsFirst, IsEnd bool
}

// HasOthers reports whether any but the common parameters have a value or a problem.
func (f stepForm) HasOthers() bool {
	return slices.ContainsFunc(f.Groups[1:], func(g controlGroup) bool { return g.IsOpen })
}

// benchNews is what the last request to the bench led to.
type benchNews struct {
	Result *benchResult
	Failed string
	// problems are about the parameters of steps, by their index.
	problems map[int][]problem
	// output is about the format of the last output.
	output string
}

// bench shows the page for the choices in its URL.
func (s *Console) bench(w http.ResponseWriter, r *http.Request) {
	s.showBench(w, r, http.StatusOK, s.benchForm(r.URL.Query()), benchNews{})
}

func (s *Console) showBench(w http.ResponseWriter, r *http.Request, status int, b *bench, news benchNews) {
	data := benchPage{Bench: b, Result: news.Result, Failed: news.Failed, Uploads: s.tryPage()}
	t, err := s.contract.read(r.Context())
	if err != nil {
		data.Note = "The descriptions of the parameters cannot be read: " + err.Error()
	}
	for i, step := range b.Steps {
		_, problems := step.read()
		form := step.form(i+1, t, append(problems, news.problems[i]...))
		form.IsFirst, form.IsEnd = i == 0, i == len(b.Steps)-1
		data.Steps = append(data.Steps, form)
	}
	if len(b.Steps) < maxBenchSteps {
		data.Kinds = stepNames
	}
	data.Output = outputControl(b, t)
	data.Output.Problem = news.output
	if b.Key == "" {
		data.Recent = s.recentImages(r, b)
	}
	data.Images = s.benchImages(r, b, news.Result)
	req, ok := b.request(benchID(b.Key))
	if data.CanRun = ok; ok {
		data.Triggers = "/bench/triggers.yaml?" + b.Query()
		data.Copies = s.benchCopies(r, b, req)
	}
	s.show(w, r, status, "bench", "Bench", data)
}

// outputControl returns the control of the format of the last output.
func outputControl(b *bench, t texts) control {
	g := controlGroup{}
	g.addField((*imageflowv1.ImageData)(nil).ProtoReflect().Descriptor().Fields().ByName("content_type"), "output_image.", t)
	c := g.Controls[0]
	c.ID, c.Name, c.Value = "output-type", outputType, b.OutputType
	return c
}

// form returns the controls of a step with their values and problems.
func (s benchStep) form(number int, t texts, problems []problem) stepForm {
	req := s.Processor.NewRequest()
	f := stepForm{Number: number, Name: s.Processor.Name, Groups: groupsOf(req.ProtoReflect().Descriptor(), t)}
	left := maps.Clone(s.Parameters)
	for i := range f.Groups {
		for j := range f.Groups[i].Controls {
			c := &f.Groups[i].Controls[j]
			c.Value = c.valueOf(left)
		}
	}
	others := controlGroup{Title: "others"}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		others.Controls = append(others.Controls, control{Parameter: name, Kind: textControl, Value: left.Get(name)})
	}
	if len(others.Controls) > 0 {
		f.Groups = append(f.Groups, others)
	}
	for _, p := range problems {
		if c := f.find(p.Parameter); c != nil {
			c.Problem = strings.TrimPrefix(c.Problem+"; "+p.Reason, "; ")
		} else {
			f.Problems = append(f.Problems, p.String())
		}
	}
	for i := range f.Groups {
		g := &f.Groups[i]
		for j := range g.Controls {
			c := &g.Controls[j]
			c.Name = strconv.Itoa(number) + "." + c.Parameter
			c.ID = domID("p", c.Name)
			g.IsOpen = g.IsOpen || c.Value != "" || c.Problem != ""
		}
	}
	return f
}

// valueOf takes the text of a control from the parameters of a step.
func (c *control) valueOf(parameters map[string][]string) string {
	values := parameters[c.Parameter]
	delete(parameters, c.Parameter)
	if c.Kind == pairsControl {
		for _, name := range slices.Sorted(maps.Keys(parameters)) {
			if key, ok := strings.CutPrefix(name, c.Parameter+"["); ok && strings.HasSuffix(key, "]") {
				values = append(values, strings.TrimSuffix(key, "]")+"="+parameters[name][0])
				delete(parameters, name)
			}
		}
	}
	if c.Kind == choiceControl && len(values) > 0 && !slices.Contains(c.Choices, values[0]) {
		c.Choices = append(slices.Clone(c.Choices), values[0])
	}
	return strings.Join(values, "\n")
}

// find returns the control of a parameter, or of the list or map that has it; nil if there is none.
func (f *stepForm) find(parameter string) (found *control) {
	for i := range f.Groups {
		for j := range f.Groups[i].Controls {
			c := &f.Groups[i].Controls[j]
			rest, ok := strings.CutPrefix(parameter, c.Parameter)
			if ok && (rest == "" || rest[0] == '.' || rest[0] == '[') && (found == nil || len(found.Parameter) < len(c.Parameter)) {
				found = c
			}
		}
	}
	return found
}

// recentImage is an upload with the bench for it.
type recentImage struct{ Key, Image, Bench string }

// recentImages returns the newest uploads; none if the gateway does not say.
func (s *Console) recentImages(r *http.Request, b *bench) (all []recentImage) {
	list, err := s.config.Executions.ListExecutions(r.Context(), &imageflowv1.ListExecutionsRequest{Bucket: b.Bucket, PageSize: 8})
	if err != nil {
		return nil
	}
	for _, e := range list.GetExecutions() {
		chosen := *b
		chosen.Key = e.GetObjectKey()
		image := objectURL(b.Bucket, chosen.Key, e.GetEtag())
		all = append(all, recentImage{Key: chosen.Key, Image: image, Bench: chosen.URL()})
	}
	return all
}

// benchImages returns the image, the outputs that the store has of it, and those of a run.
func (s *Console) benchImages(r *http.Request, b *bench, result *benchResult) (all []runImage) {
	if b.Key == "" || !s.config.ReadFrom.Contains(b.Bucket, b.Key) {
		return nil
	}
	source := &run{Bucket: b.Bucket, ID: execution.ID(b.Key), Key: b.Key}
	stored, err := s.config.Executions.GetExecution(r.Context(),
		&imageflowv1.GetExecutionRequest{Bucket: b.Bucket, ExecutionId: source.ID})
	if err == nil && stored.GetSource().GetObjectKey() == b.Key {
		source = runOf(b.Bucket, stored)
	}
	for _, image := range source.Images() {
		if image.Step != nil {
			image.Title = "stored " + image.Title
		}
		all = append(all, image)
	}
	if result != nil {
		all = append(all, result.Images()...)
	}
	return all
}

// benchResult is what a run of the bench made.
type benchResult struct {
	ExecutionID string
	Seconds     float64
	Steps       []benchOutput
}

// benchOutput is the response of a step.
type benchOutput struct {
	runStep
	JSON string
}

// Images returns the outputs of the steps.
func (r *benchResult) Images() (all []runImage) {
	outputs := &run{Bucket: "", ID: r.ExecutionID}
	for i, s := range r.Steps {
		outputs.Bucket, outputs.Steps = s.Output.GetBucket(), []runStep{s.runStep}
		image := outputs.Images()[0]
		image.Title = fmt.Sprintf("bench %d %s", i+1, image.Title)
		all = append(all, image)
	}
	return all
}
