package scangate

// Routes returns the route table's methods and paths below the base path, such as "GET /login".
func (g *Gate) Routes() []string {
	var names []string
	for _, row := range g.routes() {
		names = append(names, row.method+" "+row.path)
	}
	return names
}
