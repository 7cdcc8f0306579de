package role

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"imageflow.dev/internal/oidc"
)

// OIDC has the issuer, the audience and the subjects of the tokens that events must carry
// in addition to their signatures.
type OIDC struct {
	Issuer    string   `envconfig:"OIDC_ISSUER" desc:"URL of the issuer of the tokens on events; empty: no tokens are needed"`
	Audience  string   `envconfig:"OIDC_AUDIENCE" desc:"audience of the tokens; $(K_SERVICE) means the Knative Service"`
	Subjects  []string `envconfig:"OIDC_SUBJECTS" desc:"accepted service accounts; * matches any text"`
	CAFile    string   `envconfig:"OIDC_CA_FILE" desc:"certificates of the issuer; empty: the system's"`
	TokenFile string   `envconfig:"OIDC_TOKEN_FILE" desc:"token for reading the issuer's keys; empty: none"`
}

func (c OIDC) validate() error {
	if c.Issuer == "" {
		return nil
	}
	var subjects error
	if len(c.Subjects) == 0 {
		subjects = errors.New("OIDC_SUBJECTS must be set if OIDC_ISSUER is set")
	}
	return errors.Join(required("OIDC_AUDIENCE", c.Audience), subjects)
}

// verifier returns nil if no tokens are required.
func (c OIDC) verifier() (*oidc.Verifier, error) {
	if c.Issuer == "" {
		return nil, nil
	}
	c.Audience = c.audience()
	v, err := oidc.New(oidc.Config(c))
	if err != nil {
		return nil, fmt.Errorf("OIDC_CA_FILE is not usable: %w", err)
	}
	return v, nil
}

// audience returns the audience with the name of the Knative Service in it. Knative
// adds K_SERVICE after the variables of the manifest, so Kubernetes does not expand it.
func (c OIDC) audience() string {
	return strings.ReplaceAll(c.Audience, "$(K_SERVICE)", os.Getenv("K_SERVICE"))
}
