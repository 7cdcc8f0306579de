package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"

	"google.golang.org/protobuf/encoding/protojson"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// answerPath is the path of the gateway's answer about one execution.
const answerPath = "/execution.json"

// AnswerURL returns the URL of what the gateway says about the run.
func (r *run) AnswerURL() string {
	return answerPath + "?" + url.Values{"bucket": {r.Bucket}, "id": {r.ID}}.Encode()
}

// answer shows what the gateway says about one execution, as JSON.
func (s *Console) answer(w http.ResponseWriter, r *http.Request) {
	e, err := s.config.Executions.GetExecution(r.Context(),
		&imageflowv1.GetExecutionRequest{Bucket: s.bucketOf(r), ExecutionId: r.FormValue("id")})
	if err != nil {
		http.Error(w, reasonOf(err), httpStatus(err))
		return
	}
	data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(e)
	var b bytes.Buffer
	if err == nil {
		err = json.Indent(&b, data, "", "  ") // protojson varies its spaces
	}
	if err != nil {
		http.Error(w, "the answer could not be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b.Bytes())
}
