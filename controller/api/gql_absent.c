/* gql_absent - what flyctl's commands ask for and sixpn does not offer, each with the one sentence that the command shows. */
#include "controller/api/api_graphql.h"

#define MACHINES "use fly machine, or sixpn instance"
#define RELEASES "sixpn has no releases: an app is its machines, " MACHINES
#define BUILDS "sixpn builds no images: give fly machine run the name of one, or sixpn instance a command"
#define SECRETS "sixpn keeps no secrets: put them into a machine's environment, or into files of its own"
#define CERTIFICATES "sixpn has no certificates for public names: its networks are private"
#define SSH "sixpn issues no SSH certificates: run an sshd in the machine, and reach it through a WireGuard peer"
#define VOLUMES "sixpn has no volumes"
#define POSTGRES "sixpn has no managed Postgres: run one as a machine"
#define ADD_ONS "sixpn has no extensions and add-ons"
#define DOMAINS "sixpn registers no domains: names in its networks end in .internal"
#define EGRESS "sixpn has no egress addresses: its networks are private"
#define SCALING "sixpn scales nothing by itself: " MACHINES
#define CHECKS "sixpn has no health checks"
#define LOCKS "sixpn has no locks of apps: a machine's lease is what holds others off"
#define MOVES "an app of sixpn stays in its organization and network for ever: make another there"
#define INVITES "sixpn sends no invitations: sixpn org member says who belongs to an organization"
#define NOMAD "sixpn has no allocations: all there is are machines"
#define DOCTOR "sixpn collects no reports: sixpn doctor peer looks at a tunnel"
#define APP_CONFIG "sixpn keeps no fly.toml: " MACHINES
#define MACHINES_REST "machines are changed through the Machines API, which newer flyctl does by itself"

const struct gql_absent gql_absent[] = {
	/* ssh */
	{ "Mutation", "issueCertificate", SSH },
	{ "Mutation", "establishSshKey", SSH },
	{ "Organization", "loggedCertificates", SSH },
	{ "Organization", "sshCertificate", SSH },
	/* releases, deploy, builds */
	{ "Mutation", "createRelease", RELEASES },
	{ "Mutation", "updateRelease", RELEASES },
	{ "Mutation", "releaseCommand", RELEASES },
	{ "Mutation", "deployImage", RELEASES },
	{ "App", "release", RELEASES },
	{ "App", "releases", RELEASES },
	{ "App", "releasesUnprocessed", RELEASES },
	{ "App", "releaseCommand", RELEASES },
	{ "App", "deploymentStatus", RELEASES },
	{ "App", "changes", RELEASES },
	{ "Query", "canPerformBluegreenDeployment", RELEASES },
	{ "Mutation", "createBuild", BUILDS },
	{ "Mutation", "updateBuild", BUILDS },
	{ "Mutation", "finishBuild", BUILDS },
	{ "Mutation", "startBuild", BUILDS },
	{ "Mutation", "ensureRemoteBuilder", BUILDS },
	{ "Mutation", "ensureMachineRemoteBuilder", BUILDS },
	{ "Mutation", "ensureDepotRemoteBuilder", BUILDS },
	{ "Mutation", "updateRemoteBuilder", BUILDS },
	{ "App", "builds", BUILDS },
	{ "App", "imageUpgradeAvailable", BUILDS },
	{ "App", "imageVersionTrackingEnabled", BUILDS },
	{ "App", "latestImageDetails", BUILDS },
	{ "Query", "latestImageTag", BUILDS },
	/* what Fly keeps of an app */
	{ "App", "parseConfig", APP_CONFIG },
	{ "Query", "validateConfig", APP_CONFIG },
	{ "Mutation", "setSecrets", SECRETS },
	{ "Mutation", "unsetSecrets", SECRETS },
	{ "App", "secrets", SECRETS },
	{ "Mutation", "moveApp", MOVES },
	{ "Mutation", "lockApp", LOCKS },
	{ "Mutation", "unlockApp", LOCKS },
	{ "App", "currentLock", LOCKS },
	{ "App", "healthChecks", CHECKS },
	{ "Query", "checkLocations", CHECKS },
	{ "Mutation", "createCheckJob", CHECKS },
	{ "Mutation", "createCheckJobRun", CHECKS },
	{ "Organization", "healthChecks", CHECKS },
	{ "Organization", "healthCheckHandlers", CHECKS },
	/* scaling */
	{ "Mutation", "scaleApp", SCALING },
	{ "Mutation", "setVmCount", SCALING },
	{ "Mutation", "setVmSize", SCALING },
	{ "Mutation", "updateAutoscaleConfig", SCALING },
	{ "Mutation", "configureRegions", SCALING },
	{ "App", "autoscaling", SCALING },
	{ "App", "vmSize", SCALING },
	{ "App", "taskGroupCounts", SCALING },
	{ "App", "processGroups", SCALING },
	{ "App", "backupRegions", SCALING },
	/* machines, as clients before 2023 changed them */
	{ "Mutation", "launchMachine", MACHINES_REST },
	{ "Mutation", "startMachine", MACHINES_REST },
	{ "Mutation", "stopMachine", MACHINES_REST },
	{ "Mutation", "killMachine", MACHINES_REST },
	{ "Mutation", "removeMachine", MACHINES_REST },
	{ "Query", "machines", MACHINES_REST },
	{ "App", "machine", MACHINES_REST },
	{ "Machine", "events", MACHINES_REST },
	{ "Machine", "instanceId", MACHINES_REST },
	{ "Mutation", "restartApp", MACHINES_REST },
	{ "Mutation", "pauseApp", MACHINES_REST },
	{ "Mutation", "resumeApp", MACHINES_REST },
	{ "Mutation", "restartAllocation", NOMAD },
	{ "Mutation", "stopAllocation", NOMAD },
	{ "App", "allocation", NOMAD },
	{ "App", "vms", NOMAD },
	{ "Mutation", "setPlatformVersion", NOMAD },
	{ "Mutation", "setAppsV2DefaultOn", NOMAD },
	/* volumes */
	{ "Mutation", "createVolume", VOLUMES },
	{ "Mutation", "deleteVolume", VOLUMES },
	{ "Mutation", "extendVolume", VOLUMES },
	{ "Mutation", "forkVolume", VOLUMES },
	{ "Mutation", "restoreVolumeSnapshot", VOLUMES },
	{ "Mutation", "createVolumeSnapshot", VOLUMES },
	{ "App", "volumes", VOLUMES },
	{ "App", "volume", VOLUMES },
	{ "Query", "volume", VOLUMES },
	/* public names */
	{ "Mutation", "addCertificate", CERTIFICATES },
	{ "Mutation", "deleteCertificate", CERTIFICATES },
	{ "Mutation", "checkCertificate", CERTIFICATES },
	{ "App", "certificate", CERTIFICATES },
	{ "App", "certificates", CERTIFICATES },
	{ "Query", "certificate", CERTIFICATES },
	{ "Mutation", "createDomain", DOMAINS },
	{ "Mutation", "createAndRegisterDomain", DOMAINS },
	{ "Mutation", "checkDomain", DOMAINS },
	{ "Mutation", "deleteDomain", DOMAINS },
	{ "Mutation", "exportDnsZone", DOMAINS },
	{ "Mutation", "importDnsZone", DOMAINS },
	{ "Query", "domain", DOMAINS },
	{ "Organization", "domain", DOMAINS },
	{ "Organization", "domains", DOMAINS },
	{ "Mutation", "allocateEgressIpAddress", EGRESS },
	{ "Mutation", "releaseEgressIpAddress", EGRESS },
	{ "Mutation", "createEgressIpAddress", EGRESS },
	{ "Organization", "egressIpAddresses", EGRESS },
	/* databases and add-ons */
	{ "Mutation", "attachPostgresCluster", POSTGRES },
	{ "Mutation", "detachPostgresCluster", POSTGRES },
	{ "Mutation", "enablePostgresConsul", POSTGRES },
	{ "Mutation", "createPostgresClusterDatabase", POSTGRES },
	{ "Mutation", "createPostgresClusterUser", POSTGRES },
	{ "Query", "postgresAttachments", POSTGRES },
	{ "App", "postgresAttachments", POSTGRES },
	{ "Mutation", "createAddOn", ADD_ONS },
	{ "Mutation", "updateAddOn", ADD_ONS },
	{ "Mutation", "deleteAddOn", ADD_ONS },
	{ "Mutation", "resetAddOnPassword", ADD_ONS },
	{ "Mutation", "createExtensionTosAgreement", ADD_ONS },
	{ "Query", "addOn", ADD_ONS },
	{ "Query", "addOns", ADD_ONS },
	{ "Query", "addOnPlans", ADD_ONS },
	{ "Query", "addOnProvider", ADD_ONS },
	{ "Organization", "addOnSsoLink", ADD_ONS },
	{ "Organization", "extensionSsoLink", ADD_ONS },
	{ "Organization", "agreedToProviderTos", ADD_ONS },
	{ "Organization", "provisionsBetaExtensions", ADD_ONS },
	{ "App", "addOns", ADD_ONS },
	/* people and tools */
	{ "Mutation", "createOrganizationInvitation", INVITES },
	{ "Mutation", "deleteOrganizationInvitation", INVITES },
	{ "Mutation", "deleteOrganizationMembership", INVITES },
	{ "Organization", "invitations", INVITES },
	{ "Mutation", "createDoctorUrl", DOCTOR },
	{ "Mutation", "createDoctorReport", DOCTOR },
	{ 0 },
};
