package argo_test

import (
	"testing"

	"github.com/argoproj/argo-workflows/v3/workflow/validate"
)

func TestX(t *testing.T) { _ = validate.ValidateWorkflowTemplate }
