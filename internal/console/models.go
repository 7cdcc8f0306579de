package console

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	modelsPath = "/models"
	modelPath  = "/model"
	// maxInlineClasses bounds the classes that a list shows without being asked for.
	maxInlineClasses = 20
)

// modelList is the data of the page of models.
type modelList struct {
	Models []model
	Failed string // why there is no list
}

// model is a model as the pages show it.
type model struct{ *imageflowv1.Model }

// URL returns the page of the model.
func (m model) URL() string { return modelPath + "?" + url.Values{"name": {m.GetName()}}.Encode() }

// State returns the word and the class of the model's state.
func (m model) State() string {
	if m.GetReady() {
		return "ready"
	}
	return "refused"
}

// HasFewClasses reports whether the classes are shown without being asked for.
func (m model) HasFewClasses() bool { return len(m.GetLabels()) <= maxInlineClasses }

// Classes returns the names of the classes as one text.
func (m model) Classes() string { return strings.Join(m.GetLabels(), ", ") }

// models shows all models, those that are refused, too.
func (s *Console) models(w http.ResponseWriter, r *http.Request) {
	list, data := &imageflowv1.ListModelsResponse{}, modelList{}
	err := s.callGateway(r.Context(), http.MethodGet, "/v1/models", "", nil, list)
	if err != nil {
		data.Failed = reasonOf(err)
		s.show(w, r, httpStatus(err), "models", "Models", data)
		return
	}
	for _, m := range list.GetModels() {
		data.Models = append(data.Models, model{m})
	}
	s.show(w, r, http.StatusOK, "models", "Models", data)
}

// modelPage is the data of the page of one model.
type modelPage struct {
	model
	About           *imageflowv1.GetModelResponse
	Inputs, Outputs []tensor
	// TrialURL and TryURL run the model on the image it was checked with, and on an image of one's own.
	TrialURL, TryURL string
	MaxBytes         int64
	Key              string
	Result           *modelResult
	Failed           string // why there is no result
}

// tensor is an input or an output of a model.
type tensor struct{ *imageflowv1.ModelTensor }

// Dimensions returns the sizes of the dimensions, with a question mark for a dynamic one.
func (t tensor) Dimensions() string {
	var sizes []string
	for _, size := range t.GetShape() {
		sizes = append(sizes, strings.Replace(fmt.Sprint(size), "-1", "?", 1))
	}
	return strings.Join(sizes, "×")
}

func tensorsOf(all []*imageflowv1.ModelTensor) (tensors []tensor) {
	for _, t := range all {
		tensors = append(tensors, tensor{t})
	}
	return tensors
}

// model shows how a model was understood.
func (s *Console) model(w http.ResponseWriter, r *http.Request) {
	s.showModel(w, r, http.StatusOK, nil, nil, "")
}

// showModel answers with the page of a model, with the result of a run or what failed, if any. about is what the gateway said
// of the model; nil if it must be asked.
func (s *Console) showModel(
	w http.ResponseWriter, r *http.Request, code int, about *imageflowv1.GetModelResponse, result *modelResult, failed string,
) {
	name := r.FormValue("name")
	if about == nil {
		var err error
		if about, err = s.getModel(r.Context(), name, ""); err != nil {
			s.fail(w, r, httpStatus(err), reasonOf(err))
			return
		}
	}
	query := "?" + url.Values{"name": {name}}.Encode()
	s.show(w, r, code, "model", "Model", modelPage{
		model: model{about.GetModel()}, About: about, Inputs: tensorsOf(about.GetInputs()), Outputs: tensorsOf(about.GetOutputs()),
		TrialURL: modelPath + "/trial" + query, TryURL: modelPath + "/try" + query,
		MaxBytes: s.maxTried(), Key: r.FormValue("key"), Result: result, Failed: failed,
	})
}

// getModel asks the gateway about a model.
func (s *Console) getModel(ctx context.Context, name, query string) (*imageflowv1.GetModelResponse, error) {
	if name == "" {
		return nil, errNoModel
	}
	about := &imageflowv1.GetModelResponse{}
	return about, s.callGateway(ctx, http.MethodGet, "/v1/models/"+url.PathEscape(name)+query, "", nil, about)
}

var errNoModel = status.Error(codes.InvalidArgument, "name: the address names no model")

// trialModel runs a model on the image that it was checked with.
func (s *Console) trialModel(w http.ResponseWriter, r *http.Request) {
	about, err := s.getModel(r.Context(), r.FormValue("name"), "?trial=true")
	if err != nil {
		s.showModel(w, r, httpStatus(err), nil, nil, "The trial did not run: "+reasonOf(err))
		return
	}
	trial := about.GetTrial()
	if trial == nil {
		failed := "The trial did not run: " + cmp.Or(about.GetModel().GetReason(), "the gateway answers with no result")
		s.showModel(w, r, http.StatusConflict, about, nil, failed)
		return
	}
	tried := tried{image: trial.GetImage(), contentType: trial.GetContentType()}
	result := &modelResult{Title: "The trial", ImageURL: s.tried.put(tried).imageURL(), Detections: trial.GetDetections()}
	s.showModel(w, r, http.StatusOK, about, result, "")
}
