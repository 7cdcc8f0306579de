package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/uploads"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// benchFolder begins the execution ids of the bench. No chain starts there: outputs that ImageFlow wrote start none.
const benchFolder = "console/"

// benchID returns an execution id for a run, so that it replaces no output of a chain.
func benchID(key string) string {
	return benchFolder + stemOf(uploads.OwnName(key))
}

// stemOf returns the name of an image without its extension, as a part of a key.
func stemOf(key string) string {
	name := uploads.SafeName(key)
	return strings.TrimSuffix(name, path.Ext(name))
}

// runBench runs the steps and shows what they made, beside what the store has.
func (s *Console) runBench(w http.ResponseWriter, r *http.Request, b *bench) {
	req, ok := b.request(benchID(b.Key))
	switch {
	case b.Key == "":
		s.showBench(w, r, http.StatusBadRequest, b, benchNews{Failed: "Choose an image first."})
		return
	case len(b.Steps) == 0:
		s.showBench(w, r, http.StatusBadRequest, b, benchNews{Failed: "Add a step first."})
		return
	case !ok:
		s.showBench(w, r, http.StatusBadRequest, b, benchNews{Failed: "Nothing was run: see the parameters below."})
		return
	case !s.config.ReadFrom.Contains(b.Bucket, b.Key):
		s.showBench(w, r, http.StatusForbidden, b, benchNews{Failed: "READ_FROM of the console does not permit this image."})
		return
	}
	answer, err := s.config.Pipelines.RunPipeline(r.Context(), req)
	if err != nil {
		s.showBench(w, r, httpStatus(err), b, newsOf(err))
		return
	}
	s.showBench(w, r, http.StatusOK, b, benchNews{Result: resultOf(answer)})
}

// stepField is the path of a parameter of a step, such as steps[1].filter.intensity.
var stepField = regexp.MustCompile(`^steps\[([0-9]+)\]\.[a-z]+\.?(.*)$`)

// newsOf returns what an error says, with what is about the parameters of steps.
func newsOf(err error) benchNews {
	news := benchNews{Failed: reasonOf(err), problems: map[int][]problem{}}
	for _, detail := range status.Convert(err).Details() {
		bad, _ := detail.(*errdetails.BadRequest)
		for _, v := range bad.GetFieldViolations() {
			if v.GetField() == outputType {
				news.output = v.GetDescription()
			}
			if parts := stepField.FindStringSubmatch(v.GetField()); parts != nil {
				at, _ := strconv.Atoi(parts[1])
				news.problems[at] = append(news.problems[at], problem{parts[2], v.GetDescription()})
			}
		}
	}
	return news
}

// resultOf returns what a pipeline answered.
func resultOf(answer *imageflowv1.RunPipelineResponse) *benchResult {
	result := &benchResult{ExecutionID: answer.GetExecutionId(), Seconds: answer.GetProcessingTimeSeconds()}
	for _, step := range answer.GetSteps() {
		m := step.ProtoReflect()
		field := m.WhichOneof(m.Descriptor().Oneofs().ByName("processor"))
		if field == nil {
			continue
		}
		response := m.Get(field).Message().Interface().(events.Response)
		result.Steps = append(result.Steps, benchOutput{
			JSON:    jsonText(response),
			runStep: stepOf(string(field.Name()), response.GetResult()),
		})
	}
	return result
}

// jsonText returns a message as indented JSON with the names of the contract.
func jsonText(m proto.Message) string {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return err.Error()
	}
	var indented bytes.Buffer
	if json.Indent(&indented, text, "", "  ") != nil { // protojson's own form changes from call to call
		return string(text)
	}
	return indented.String()
}
