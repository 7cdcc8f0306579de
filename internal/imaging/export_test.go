package imaging

// ReadCarrier is for the tests.
var ReadCarrier = readCarrier
