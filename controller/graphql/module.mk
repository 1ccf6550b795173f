# A GraphQL engine: text and variables to a plan, a plan to a reply. Knows nothing of what is asked.
ROOMS += controller/graphql
DEPS_controller/graphql := lib/sixpn lib/base
