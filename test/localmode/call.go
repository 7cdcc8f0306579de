package localmode

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"time"
)

// Answer is the answer to a call.
type Answer struct {
	// Status is the HTTP status. If it is not 200, Message says why.
	Status  int
	Message string
	// Output is the encoded image, if there is one.
	Output   []byte
	Metadata map[string]string
}

// client gives up on an answer that would hold up all later calls.
var client = &http.Client{Timeout: 2 * time.Minute}

// Call sends an image with parameters to a processor of the gateway, in JSON. It returns an
// error only if there is no answer.
func (l *Local) Call(processor string, image []byte, parameters map[string]any) (Answer, error) {
	request := maps.Clone(parameters)
	request["input_bytes"] = base64.StdEncoding.EncodeToString(image)
	body, err := json.Marshal(request)
	if err != nil {
		return Answer{}, err
	}
	resp, err := client.Post(l.Gateway+"/v1/"+processor, "application/json", bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return Answer{}, err
	}
	var got struct {
		Message string
		Result  struct {
			OutputData []byte `json:"output_data"`
			Metadata   map[string]string
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		return Answer{Status: resp.StatusCode, Message: string(text)}, nil
	}
	return Answer{resp.StatusCode, got.Message, got.Result.OutputData, got.Result.Metadata}, nil
}
