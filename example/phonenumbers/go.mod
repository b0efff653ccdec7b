module github.com/scangate/scangate/example/phonenumbers

go 1.25.0

require (
	github.com/nyaruka/phonenumbers v1.8.1
	github.com/scangate/scangate v0.0.0
)

require (
	golang.org/x/text v0.23.0 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)

replace github.com/scangate/scangate => ../../
