"""The door between processes: hints about a workflow, carried by Redis. Losing one delays, and never loses, an edit."""
