/** Requests per minute to each endpoint: as published, and rosterd's own where nothing is. */

/** Requests per minute, per application, endpoint and platform, as published. */
const PUBLISHED = {
  Connect: 10_000,
  GetApp: 10_000,
  QueryUsers: 1_000,
  CreateGuest: 1_000,
  ...eachOf(300, ['UpdateUsers', 'UpdateUsersPartial', 'Ban', 'Unban', 'Mute', 'Unmute', 'Flag', 'Unflag', 'CreateDevice']),
  ...eachOf(60, ['UpdateApp', 'DeactivateUser', 'ReactivateUser', 'DeleteUser', 'ExportUser', 'ListDevices', 'DeleteDevice']),
  DeleteUsers: 6,
};

/** rosterd's own limits: bulk forms like their single forms, changes to a user's own lists like a ban, reads like a query. */
const OWN = {
  ...eachOf(60, ['DeactivateUsers', 'ReactivateUsers', 'RestoreUsers', 'ExportUsers', 'CreateImportURL', 'CreateImport']),
  ...eachOf(60, ['CreateRole', 'DeleteRole', 'CreatePermission', 'UpdatePermission', 'DeletePermission']),
  ...eachOf(60, ['CreateUserGroup', 'UpdateUserGroup', 'DeleteUserGroup']),
  ...eachOf(300, ['AddUserGroupMembers', 'RemoveUserGroupMembers', 'BlockUsers', 'UnblockUsers']),
  ...eachOf(300, ['SendUserCustomEvent', 'BypassModeration', 'UpdatePushNotificationPreferences']),
  ...eachOf(1_000, [
    'GetTask',
    'ListTasks',
    'GetRateLimits',
    'GetBlockedUsers',
    'QueryBannedUsers',
    'QueryFutureChannelBans',
    'GetFlagCount',
  ]),
  ...eachOf(1_000, ['ListRoles', 'SearchRoles', 'ListPermissions', 'GetPermission', 'GetUserGroup', 'ListUserGroups', 'SearchUserGroups']),
  ...eachOf(1_000, ['GetImport', 'ListImports', 'QueryTeamUsageStats', 'GetUsage', 'GetUserHistory', 'DebugWhy', 'ListConsumers']),
  ...eachOf(60, ['Backup', 'CreateBackupURL', 'CreateUserToken', 'DeleteConsumer', 'ListUserRevisions', 'EndSignIns']),
  ...eachOf(1_000, ['GetPosition', 'ListBackups', 'ListUserConnections', 'ListSignIns']),
  ...eachOf(60, ['GetDigests', 'SimulateResume']),
  ...eachOf(1_000, ['CompareUsers', 'DebugConnections']),
  ...eachOf(60, ['CloseConnection']),
  ...eachOf(1_000, ['ListConnections', 'ListNodes', 'ListSettings']),
  ...eachOf(60, ['UploadSyncSource', 'CreateSyncPlan', 'ApproveSyncPlan', 'WithdrawSyncPlan', 'ApplySyncPlan', 'StopSyncPlan']),
  ...eachOf(300, ['LookAtSyncSource', 'ListSyncPlanChanges']),
  ...eachOf(1_000, ['ListSyncPlans', 'GetSyncPlan']),
  Subscribe: 100_000,
  ...eachOf(1_000, ['ListHooks', 'ListDeadLetters', 'GetDeadLetter']),
  ...eachOf(60, ['ReplayDeadLetters', 'CheckWebhook', 'CheckSQS', 'CheckSNS']),
};

export const PER_MINUTE: ReadonlyMap<string, number> = new Map([...Object.entries(PUBLISHED), ...Object.entries(OWN)]);

function eachOf(limit: number, names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, limit]));
}
