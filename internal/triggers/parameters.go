package triggers

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"buf.build/go/protovalidate"

	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/queryparams"
	"imageflow.dev/internal/rules"
)

// CheckParameters returns an error if the contract refuses the parameters of a step, which are the query of its URL and may name
// a preset of the set. The processor itself may refuse more.
func CheckParameters(p processors.Info, set *presets.Set, query string) error {
	values, err := queryparams.Parse(query)
	if err != nil {
		return err
	}
	given := p.NewRequest()
	if err := queryparams.Read(given, values); err != nil {
		return err
	}
	req, err := set.Expand(given)
	if err != nil {
		return fmt.Errorf("preset: %w", err)
	}
	// An event brings the image.
	image := url.Values{"input_image.bucket": {"bucket"}, "input_image.object_key": {"image.jpg"}}
	if err := queryparams.Read(req, image); err != nil {
		return err
	}
	err = protovalidate.Validate(req)
	if v, ok := rules.Reported(err); ok {
		return errors.New(strings.TrimPrefix(v.Field+": "+v.Message, ": ")) // the text of a rule about several fields names them
	}
	return err
}
