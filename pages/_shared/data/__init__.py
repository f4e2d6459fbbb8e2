"""The tabs of the Data page that show a prepared set: overview, browse, refused, people and history."""
