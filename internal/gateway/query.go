package gateway

import (
	"fmt"
	"net/url"

	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/protobuf/proto"

	"imageflow.dev/internal/queryparams"
)

// strictQuery reads a query string into a request. A name that the request does not have, or that the path has, is
// an error: grpc-gateway ignores both, so that a list with a misspelt filter is a list of everything.
type strictQuery struct{}

// Parse implements runtime.QueryParameterParser.
func (strictQuery) Parse(req proto.Message, parameters url.Values, inPath *utilities.DoubleArray) error {
	for name := range parameters {
		var fields []string
		for _, field := range queryparams.Path(req, name) {
			fields = append(fields, string(field.Name()))
		}
		if len(fields) > 0 && inPath.HasCommonPrefix(fields) {
			return fmt.Errorf("%s: the path has it", fields[0])
		}
	}
	return queryparams.Read(req, parameters)
}
