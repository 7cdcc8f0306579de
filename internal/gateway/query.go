package gateway

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"

	"imageflow.dev/internal/queryparams"
)

// strictQuery reads a query string into a request. A name that the request does not have, or that the path has, is
// an error: grpc-gateway ignores both, so that a list with a misspelt filter is a list of everything.
type strictQuery struct{}

// fieldSeparator is between the parameter and the reason in the text of a strictQuery's error. The generated handlers keep
// only the text of an error. No other text has the character.
const fieldSeparator = "\x1f"

// Parse implements runtime.QueryParameterParser.
func (strictQuery) Parse(req proto.Message, parameters url.Values, inPath *utilities.DoubleArray) error {
	for name := range parameters {
		var fields []string
		for _, field := range queryparams.Path(req, name) {
			fields = append(fields, string(field.Name()))
		}
		if len(fields) > 0 && inPath.HasCommonPrefix(fields) {
			return errors.New(fields[0] + fieldSeparator + "the path has it")
		}
	}
	err := queryparams.Read(req, parameters)
	var bad *queryparams.Error
	if errors.As(err, &bad) && bad.Name != "" {
		return errors.New(bad.Name + fieldSeparator + bad.Reason)
	}
	return err
}

// queryError returns the error of a strictQuery with the parameter in its details, and other errors as they are.
func queryError(err error) error {
	if name, reason, ok := strings.Cut(status.Convert(err).Message(), fieldSeparator); ok {
		return invalid(name, reason)
	}
	return err
}

// withoutParameters returns the paths of GET in the contract whose requests have no fields. The generated handlers do not read
// their queries.
func withoutParameters() map[string]bool {
	paths := map[string]bool{}
	protoregistry.GlobalFiles.RangeFilesByPackage("imageflow.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for m := range methods.Len() {
				rule, _ := proto.GetExtension(methods.Get(m).Options(), annotations.E_Http).(*annotations.HttpRule)
				if rule.GetGet() != "" && methods.Get(m).Input().Fields().Len() == 0 {
					paths[rule.GetGet()] = true
				}
			}
		}
		return true
	})
	return paths
}

// checkNoQuery returns a middleware of the routes that refuses parameters at some paths, as a strictQuery does at others.
func checkNoQuery(paths map[string]bool) runtime.Middleware {
	return func(next runtime.HandlerFunc) runtime.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request, path map[string]string) {
			if paths[r.URL.Path] {
				if err := readNone(r.URL.RawQuery); err != nil {
					answerError(r.Context(), runtime.NewServeMux(), marshaler, w, r, err)
					return
				}
			}
			next(w, r, path)
		}
	}
}

// readNone returns an error for a query that has a parameter.
func readNone(query string) error {
	parameters, err := queryparams.Parse(query)
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	return readQuery(&emptypb.Empty{}, parameters)
}

// readQuery reads parameters into a request. Its error is a status that names the parameter.
func readQuery(req proto.Message, parameters url.Values) error {
	err := queryparams.Read(req, parameters)
	var bad *queryparams.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &bad) && bad.Name != "":
		return invalid(bad.Name, bad.Reason)
	}
	return status.Error(codes.InvalidArgument, err.Error())
}
